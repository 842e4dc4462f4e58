import { Tooltip, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useId, useRef, useState, type FormEvent, type ReactElement } from "react";
import { giveReason, NOBODY, signInAs, signInWith, signOut, useAccess, type Role } from "./access";

const ABOUT_REASON =
  "Sensitive values, such as the text of notes, are only shown to those who say why they look at them, in 3 to 200 characters.";
const ABOUT_NOBODY = "Without signing in: only the schema can be read.";
// As RFC 6750 spells a token; what is pasted may have the scheme before it.
const TOKEN = String.raw`\s*(?:[Bb]earer\s+)?([A-Za-z0-9\-._~+\/]+=*)\s*`;

/** What to do when somebody else has signed in. */
function useStartAnew(): () => void {
  const { introspect } = useGraphiQLActions();
  const responseEditor = useGraphiQL((state) => state.responseEditor);

  return () => {
    // What is on the screen was answered to somebody else. The schema may be another one for the new caller.
    responseEditor?.setValue("");
    void introspect();
  };
}

function RoleChoice({ roles }: { roles: readonly Role[] }): ReactElement {
  const startAnew = useStartAnew();
  const { role } = useAccess();
  const id = useId();

  return (
    <div className="access-part">
      <label htmlFor={id}>Signed in as</label>
      <select
        id={id}
        className="access-field access-role"
        autoComplete="off"
        title={roles.find(({ name }) => name === role)?.description ?? ABOUT_NOBODY}
        value={role}
        onChange={(event) => {
          signInAs(event.target.value);
          startAnew();
        }}
      >
        {roles.map(({ name, description }) => (
          <option key={name} value={name} title={description}>
            {name}
          </option>
        ))}
        <option value={NOBODY} title={ABOUT_NOBODY}>
          nobody
        </option>
      </select>
    </div>
  );
}

function PastedToken(): ReactElement {
  const startAnew = useStartAnew();
  const { hasPastedToken } = useAccess();
  const [isOpen, setOpen] = useState<boolean>();
  const field = useRef<HTMLInputElement>(null);
  const id = useId();

  function submit(event: FormEvent): void {
    event.preventDefault();
    const token = new RegExp(`^${TOKEN}$`).exec(field.current?.value ?? "")?.[1];
    if (!token) return;
    signInWith(token);
    setOpen(false);
    startAnew();
  }

  if (hasPastedToken) {
    return (
      <div className="access-part">
        <span>Signed in</span>
        <button
          type="button"
          className="access-field"
          autoFocus
          onClick={() => {
            signOut();
            startAnew();
          }}
        >
          Sign out
        </button>
      </div>
    );
  }
  if (!isOpen) {
    // Where a step is left, the focus goes on to what takes its place; when the page opens, it is not taken.
    return (
      <button type="button" className="access-field" autoFocus={isOpen === false} onClick={() => setOpen(true)}>
        Sign in
      </button>
    );
  }
  return (
    <form
      className="access-part"
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key === "Escape") setOpen(false);
      }}
    >
      <label htmlFor={id}>Bearer token</label>
      <input
        id={id}
        ref={field}
        className="access-field access-token"
        type="password"
        // A field without a name is never part of an address. A code for one time is not offered to be remembered.
        autoComplete="one-time-code"
        spellCheck={false}
        autoFocus
        required
        pattern={TOKEN}
        title="An access token of an issuer that the gateway trusts. It stays in this page's memory."
      />
      <button type="submit" className="access-field">
        Sign in
      </button>
      <button type="button" className="access-field" onClick={() => setOpen(false)}>
        Cancel
      </button>
    </form>
  );
}

function Reason(): ReactElement {
  const { reason } = useAccess();
  const id = useId();

  return (
    <div className="access-part">
      <label htmlFor={id}>Reason for access</label>
      <Tooltip label={ABOUT_REASON} align="end">
        <input
          id={id}
          className="access-field access-reason"
          type="text"
          placeholder="case number"
          autoComplete="off"
          spellCheck={false}
          minLength={3}
          maxLength={200}
          value={reason}
          onChange={(event) => giveReason(event.target.value)}
        />
      </Tooltip>
    </div>
  );
}

export function AccessBar(): ReactElement {
  const { roles } = useAccess();

  return (
    <div className="access" role="group" aria-label="Access">
      {roles && (roles.length ? <RoleChoice roles={roles} /> : <PastedToken />)}
      <Reason />
    </div>
  );
}
