import { defineConfig } from "vite";

// The gateway serves gateway/static/index.html at / and everything beside it below /static/.
export default defineConfig({
  base: "/static/",
  build: {
    outDir: "../gateway/static",
    emptyOutDir: true,
    target: "es2022",
    // Nothing is inlined as a data: or blob: address: the Content-Security-Policy allows our own origin only.
    assetsInlineLimit: 0,
    // Monaco is large by nature and loaded in a piece of its own.
    chunkSizeWarningLimit: 4000,
    rolldownOptions: {
      onLog(level, log, report) {
        // "use client" in our dependencies means nothing in a page without a server side.
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") report(level, log);
      },
    },
  },
  worker: { format: "es" },
});
