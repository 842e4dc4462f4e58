import type { ExecutionResult } from "graphql";
import type { Fetcher } from "@graphiql/toolkit";
import { bearer, reasonHeader, renewed } from "./access";

const ENDPOINT = "/graphql";

interface Failure {
  message: string;
  extensions?: { code?: string };
}

interface Answer {
  response: Response;
  /** Undefined if what came is no JSON. */
  result: (Omit<ExecutionResult, "errors"> & { errors?: Failure[] }) | undefined;
}

/** A failure of the way to the gateway, shown like a GraphQL error: one readable sentence instead of a stack trace. */
function failure(...sentences: string[]): ExecutionResult {
  return { errors: [{ message: sentences.filter(Boolean).join(" ") }] } as unknown as ExecutionResult;
}

async function post(headers: Headers, body: string): Promise<Answer> {
  const response = await fetch(ENDPOINT, { method: "POST", headers, body });
  const text = await response.text();
  try {
    return { response, result: JSON.parse(text) as Answer["result"] };
  } catch {
    return { response, result: undefined };
  }
}

function isUnauthenticated({ response, result }: Answer): boolean {
  return response.status === 401 && !!result?.errors?.some(({ extensions }) => extensions?.code === "UNAUTHENTICATED");
}

function whenToTryAgain({ response }: Answer): string {
  const wait = response.status === 429 && response.headers.get("Retry-After");
  if (!wait) return "";
  return /^\d+$/.test(wait) ? `Try again in ${wait} s.` : `Try again after ${wait}.`;
}

function shown(answer: Answer): ExecutionResult {
  const { response, result } = answer;
  const again = whenToTryAgain(answer);
  if (!result) {
    const said = `${response.status} ${response.statusText}`.trim();
    const why = again || "It may be starting, or something in between refused.";
    return failure(`The gateway answered ${said} and no GraphQL.`, why);
  }
  const first = result.errors?.[0];
  if (first && again && !first.message.includes(` ${response.headers.get("Retry-After")} `)) {
    first.message = `${first.message} ${again}`;
  }
  return result as ExecutionResult;
}

export const fetcher: Fetcher = async ({ query, variables, operationName }, options) => {
  const body = JSON.stringify({ query, variables, operationName });
  const headers = new Headers({
    Accept: "application/graphql-response+json, application/json",
    "Content-Type": "application/json",
    "ET-Client-Name": "kundeport-graphiql",
  });
  const reason = reasonHeader();
  if (reason) headers.set("X-Access-Reason", reason);
  try {
    for (const [name, value] of Object.entries(options?.headers ?? {})) headers.set(name, String(value));
  } catch (error) {
    return failure("Request not sent: a header is not valid.", error instanceof Error ? error.message : "");
  }

  let token: string | undefined;
  if (!headers.has("Authorization")) {
    try {
      token = await bearer();
    } catch (error) {
      return failure("Request not sent.", error instanceof Error ? error.message : "");
    }
    if (token) headers.set("Authorization", `Bearer ${token}`);
  }
  try {
    let answer = await post(headers, body);
    if (token && isUnauthenticated(answer)) {
      const next = await renewed(token).catch(() => undefined);
      if (next) {
        headers.set("Authorization", `Bearer ${next}`);
        answer = await post(headers, body);
      }
    }
    return shown(answer);
  } catch {
    return failure(`The gateway at ${location.origin}${ENDPOINT} cannot be reached. Is it running?`);
  }
};
