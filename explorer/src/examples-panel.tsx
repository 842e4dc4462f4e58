import { useGraphiQL, useGraphiQLActions, type GraphiQLPlugin } from "@graphiql/react";
import { useState, type ReactElement } from "react";
import { examples, type Example } from "./examples";

const WORTH_A_FILTER = 8;

function matches(example: Example, wanted: string): boolean {
  const text = `${example.name} ${example.file} ${example.kind} ${example.description}`.toLowerCase();
  return wanted.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function useOpenExample(): (example: Example) => void {
  const { addTab, changeTab, setOperationName } = useGraphiQLActions();
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const variableEditor = useGraphiQL((state) => state.variableEditor);
  const headerEditor = useGraphiQL((state) => state.headerEditor);
  const tabs = useGraphiQL((state) => state.tabs);
  const activeTabIndex = useGraphiQL((state) => state.activeTabIndex);

  return (example) => {
    const open = tabs.findIndex((tab) => tab.query === example.query && (tab.variables ?? "") === example.variables);
    if (open >= 0 && open === activeTabIndex) return;
    const headers = headerEditor?.getValue() ?? "";
    if (open >= 0) {
      changeTab(open);
    } else {
      addTab();
      queryEditor?.setValue(example.query);
      variableEditor?.setValue(example.variables);
      if (example.kind !== "document") setOperationName(example.name);
    }
    // The sign-in goes along: a tab without headers of its own takes those of the tab one comes from.
    if (!headerEditor?.getValue().trim()) headerEditor?.setValue(headers);
  };
}

function ExamplesPanel(): ReactElement {
  const [wanted, setWanted] = useState("");
  const openExample = useOpenExample();
  const shown = examples.filter((example) => matches(example, wanted.trim()));

  return (
    <section className="examples" aria-label="Examples">
      <h2 className="examples-title">Examples</h2>
      {examples.length >= WORTH_A_FILTER && (
        <input
          className="examples-filter"
          type="search"
          placeholder="Filter"
          aria-label="Filter examples"
          value={wanted}
          onChange={(event) => setWanted(event.target.value)}
        />
      )}
      {shown.length === 0 && <p className="examples-none">{examples.length ? "Nothing matches." : "No examples."}</p>}
      <ul className="examples-list">
        {shown.map((example) => (
          <li key={example.file}>
            <button type="button" className="examples-entry" onClick={() => openExample(example)}>
              <span className="examples-name">
                {example.name}
                {example.kind !== "query" && <span className="examples-kind">{example.kind}</span>}
              </span>
              {example.description && <span className="examples-description">{example.description}</span>}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function ExamplesIcon(): ReactElement {
  return (
    <svg viewBox="0 0 24 24" height="1em" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
      <path d="M4 5.5h16M4 12h16M4 18.5h9" strokeLinecap="round" />
      <path d="m16.5 15.8 4.6 2.7-4.6 2.7z" strokeLinejoin="round" />
    </svg>
  );
}

export const examplesPlugin: GraphiQLPlugin = { title: "Examples", icon: ExamplesIcon, content: ExamplesPanel };
