import "./workers";
import { HISTORY_PLUGIN } from "@graphiql/plugin-history";
import { explorerPlugin } from "@graphiql/plugin-explorer";
import type { TabsState } from "@graphiql/react";
import { GraphiQL } from "graphiql";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { AccessBar } from "./access-bar";
import { examples } from "./examples";
import { examplesPlugin } from "./examples-panel";
import { fetcher } from "./fetcher";
import { isFirstVisit, storage } from "./storage";

const plugins = [examplesPlugin, explorerPlugin({}), HISTORY_PLUGIN];
// One that answers to whom the demo signs in by itself.
const welcome = examples.find(({ file }) => file === "customer") ?? examples[0];
const EMPTY_PAGE = "# Write a query here and press Ctrl-Enter.\n{\n  __typename\n}\n";

// The menu is open at the first visit, where there is room for it beside the editor.
const firstPanel = isFirstVisit && window.innerWidth >= 1000 ? examplesPlugin : undefined;

// Nothing that is typed outlives the page (see storage.ts), so the browser asks before it drops a document of one's own.
const given = new Set([EMPTY_PAGE, ...examples.map((example) => example.query)]);
let hasOwnDocument = false;
function noteTabs({ tabs }: TabsState): void {
  hasOwnDocument = tabs.some(({ query }) => Boolean(query?.trim()) && !given.has(query!));
}
window.addEventListener("beforeunload", (event) => {
  if (hasOwnDocument) event.preventDefault();
});

// The editor measures its letters once, when it is made: the font has to be there by then.
await document.fonts.load('15px "Fira Code"').catch(() => []);

createRoot(document.getElementById("explorer")!).render(
  <StrictMode>
    <GraphiQL
      fetcher={fetcher}
      plugins={plugins}
      visiblePlugin={firstPanel}
      initialQuery={welcome?.query ?? EMPTY_PAGE}
      initialVariables={welcome?.variables}
      onTabChange={noteTabs}
      storage={storage}
      // Headers may carry a bearer token. It must never reach the browser's storage, where any script of this origin and
      // anybody at this machine could read it later: it lives in the page's memory only, and no switch offers otherwise.
      shouldPersistHeaders={false}
      showPersistHeadersSettings={false}
      isHeadersEditorEnabled
      defaultEditorToolsVisibility="variables"
      inputValueDeprecation
      schemaDescription
    >
      <GraphiQL.Logo>
        <AccessBar />
        <span className="brand">Kundeport</span>
      </GraphiQL.Logo>
    </GraphiQL>
  </StrictMode>,
);
