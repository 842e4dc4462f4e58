import { parse, type OperationTypeNode } from "graphql";

// The documents of operations/ are baked in at build time, with the variables that lie beside them.
const documents = import.meta.glob<string>("../../operations/*.graphql", {
  query: "?raw",
  import: "default",
  eager: true,
});
const variables = import.meta.glob<string>("../../operations/*.variables.json", {
  query: "?raw",
  import: "default",
  eager: true,
});

export interface Example {
  /** The file's name without its ending. */
  file: string;
  /** The name of the first operation, else the file's name. */
  name: string;
  kind: `${OperationTypeNode}` | "document";
  /** The comment lines the document begins with. */
  description: string;
  query: string;
  variables: string;
}

function firstComment(document: string): string {
  const lines: string[] = [];
  for (const line of document.trimStart().split(/\r?\n/)) {
    if (!line.startsWith("#")) break;
    lines.push(line.replace(/^#+\s?/, ""));
  }
  return lines.join(" ").trim();
}

function firstOperation(document: string): Pick<Example, "kind"> & { name?: string } {
  try {
    const operation = parse(document, { noLocation: true }).definitions.find((part) => part.kind === "OperationDefinition");
    if (operation) return { kind: operation.operation, name: operation.name?.value };
  } catch {
    // A document that does not parse is still shown: the editor marks the mistake.
  }
  return { kind: "document" };
}

// What only reads comes first, so that the page opens with something harmless; then by file name.
function compare(left: Example, right: Example): number {
  const byKind = Number(left.kind !== "query") - Number(right.kind !== "query");
  return byKind || (left.file < right.file ? -1 : 1);
}

export const examples: readonly Example[] = Object.entries(documents)
  .map(([path, query]) => {
    const file = path.slice(path.lastIndexOf("/") + 1, -".graphql".length);
    const { kind, name } = firstOperation(query);
    return {
      file,
      name: name ?? file,
      kind,
      description: firstComment(query),
      query,
      variables: variables[path.replace(/\.graphql$/, ".variables.json")]?.trim() ?? "",
    };
  })
  .sort(compare);
