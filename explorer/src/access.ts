import { useSyncExternalStore } from "react";

// The token and the reason live in the variables of this module and nowhere else: not in the browser's storage, not in
// an address, not in a cookie. They are gone when the page is closed or loaded anew.

export const NOBODY = "";
const FIRST_ROLE = "crm";
const RENEWED_BEFORE_EXPIRY = 30_000;

export interface Role {
  name: string;
  description: string;
}

export interface Access {
  /** Whom the demo lets one sign in as: none outside of the demo, undefined until the gateway has said which it is. */
  roles: readonly Role[] | undefined;
  role: string;
  hasPastedToken: boolean;
  reason: string;
}

interface Token {
  value: string;
  expires: number;
}

let access: Access = { roles: undefined, role: NOBODY, hasPastedToken: false, reason: "" };
let token: Promise<Token | undefined> = Promise.resolve(undefined);
const listeners = new Set<() => void>();

function change(changes: Partial<Access>): void {
  access = { ...access, ...changes };
  for (const listener of listeners) listener();
}

export function useAccess(): Access {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => access,
  );
}

async function askForRoles(): Promise<readonly Role[]> {
  try {
    const response = await fetch("/demo/roles", { headers: { Accept: "application/json" } });
    if (!response.ok) return [];
    return ((await response.json()) as { roles: Role[] }).roles;
  } catch {
    return []; // The first operation will say that the gateway cannot be reached.
  }
}

async function askForToken(role: string): Promise<Token> {
  let said: string;
  try {
    const response = await fetch("/demo/token", {
      method: "POST",
      headers: { Accept: "application/json", "Content-Type": "application/json" },
      body: JSON.stringify({ role }),
    });
    if (response.ok) {
      const answer = (await response.json()) as { token: string; expiresAt: string };
      return { value: answer.token, expires: Date.parse(answer.expiresAt) };
    }
    said = `the gateway answered ${response.status} ${response.statusText}`.trim();
  } catch {
    said = `the gateway at ${location.origin} did not answer`;
  }
  throw new Error(`Signing in as ${role} failed: ${said}.`);
}

function hold(next: Promise<Token | undefined>): Promise<Token | undefined> {
  next.catch(() => {}); // The operation that needs the token tries once more and says what went wrong.
  token = next;
  return next;
}

export function signInAs(role: string): void {
  hold(role === NOBODY ? Promise.resolve(undefined) : askForToken(role));
  change({ role });
}

export function signInWith(value: string): void {
  hold(Promise.resolve({ value, expires: Infinity }));
  change({ hasPastedToken: true });
}

export function signOut(): void {
  hold(Promise.resolve(undefined));
  change({ hasPastedToken: false });
}

export function giveReason(reason: string): void {
  change({ reason });
}

/** What an operation is sent with. Throws an Error that says why there is no token although one is wanted. */
export async function bearer(): Promise<string | undefined> {
  await begun;
  const held = await token.catch(() => undefined);
  if (held && held.expires - Date.now() > RENEWED_BEFORE_EXPIRY) return held.value;
  return renewed(held?.value);
}

/** A token in the place of `used`, which has expired or was refused; outside of the demo there is no other. */
export async function renewed(used: string | undefined): Promise<string | undefined> {
  if (access.role === NOBODY) return undefined;
  const before = token;
  const held = await before.catch(() => undefined);
  // Of several operations that find the token expired, only the first asks for a new one.
  return (await (held?.value === used && token === before ? hold(askForToken(access.role)) : token))?.value;
}

/** The reason as a header's value: browsers take one byte for each character, the gateway reads them as UTF-8. */
export function reasonHeader(): string {
  return String.fromCharCode(...new TextEncoder().encode(access.reason.trim()));
}

const begun = (async () => {
  const roles = await askForRoles();
  const first = roles.find(({ name }) => name === FIRST_ROLE) ?? roles[0];
  if (first) signInAs(first.name);
  change({ roles });
})();
