import type { ExecutionResult } from "graphql";
import type { Fetcher } from "@graphiql/toolkit";

const ENDPOINT = "/graphql";

/** A failure of the way to the gateway, shown like a GraphQL error: one readable sentence instead of a stack trace. */
function failure(message: string): ExecutionResult {
  return { errors: [{ message }] } as unknown as ExecutionResult;
}

export const fetcher: Fetcher = async ({ query, variables, operationName }, options) => {
  const headers = new Headers({
    Accept: "application/graphql-response+json, application/json",
    "Content-Type": "application/json",
    "ET-Client-Name": "kundeport-graphiql",
  });
  let response: Response;
  try {
    for (const [name, value] of Object.entries(options?.headers ?? {})) headers.set(name, String(value));
  } catch (error) {
    return failure(`Request not sent: a header is not valid. ${error instanceof Error ? error.message : ""}`.trim());
  }
  try {
    response = await fetch(ENDPOINT, {
      method: "POST",
      headers,
      body: JSON.stringify({ query, variables, operationName }),
    });
  } catch {
    return failure(`The gateway at ${location.origin}${ENDPOINT} cannot be reached. Is it running?`);
  }
  const text = await response.text();
  try {
    return JSON.parse(text) as ExecutionResult;
  } catch {
    const said = `${response.status} ${response.statusText}`.trim();
    return failure(`The gateway answered ${said} and no GraphQL. It may be starting, or something in between refused.`);
  }
};
