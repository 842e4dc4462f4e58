import type { Storage } from "@graphiql/toolkit";

// Only what the page looks like outlives a visit. Documents, variables, answers and the history may hold personal data
// and headers hold tokens: they stay in this page's memory and are gone when it is closed or loaded anew.
const LOOKS = new Set(["theme", "visiblePlugin", "docExplorerFlex", "editorFlex", "secondaryEditorFlex"]);
const PREFIX = "graphiql:";

const memory = new Map<string, string>();

function browserStorage(): globalThis.Storage | null {
  try {
    return globalThis.localStorage;
  } catch {
    return null; // switched off in this browser
  }
}

const kept = browserStorage();
const isLooks = (key: string): boolean => LOOKS.has(key.slice(PREFIX.length));

export const storage: Storage = {
  getItem: (key) => (isLooks(key) && kept ? kept.getItem(key) : (memory.get(key) ?? null)),
  setItem(key, value) {
    if (isLooks(key) && kept) kept.setItem(key, value);
    else memory.set(key, value);
  },
  removeItem(key) {
    // An empty text, not an absent one: a panel that was closed stays closed at the next visit.
    if (isLooks(key)) kept?.setItem(key, "");
    memory.delete(key);
  },
  clear() {
    memory.clear();
    for (const look of LOOKS) kept?.removeItem(PREFIX + look);
  },
  get length() {
    return memory.size;
  },
};

export const isFirstVisit = storage.getItem(`${PREFIX}visiblePlugin`) === null;
