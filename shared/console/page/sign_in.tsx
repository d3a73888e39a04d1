/** @jsxImportSource preact */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { setCredentials, signIn } from "./session.ts";

/** Where somebody says who they are: a user by e-mail and password, an operator by a secret key. */
export function SignIn({ project }: { project: string }) {
  const [failed, setFailed] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [as, setAs] = useState<"user" | "service">("user");
  const submit = async (event: JSX.TargetedEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    setBusy(true);
    setFailed(null);
    try {
      if (as === "user") await signIn(String(fields.get("email")), String(fields.get("password")));
      else setCredentials({ kind: "service", key: String(fields.get("key")).trim() });
    } catch (thrown) {
      setFailed((thrown as Error).message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="sign-in" id="main">
      <h1>Sediment</h1>
      <p class="quiet">{project}</p>
      <div class="choice" role="group" aria-label="Sign in as">
        <button type="button" aria-pressed={as === "user"} onClick={() => setAs("user")}>
          Owner
        </button>
        <button type="button" aria-pressed={as === "service"} onClick={() => setAs("service")}>
          Operator
        </button>
      </div>
      <form onSubmit={submit}>
        {as === "user"
          ? (
            <>
              <label>
                E-mail<input name="email" type="email" autocomplete="username" required />
              </label>
              <label>
                Password<input
                  name="password"
                  type="password"
                  autocomplete="current-password"
                  required
                />
              </label>
            </>
          )
          : (
            <label>
              Secret key
              <input
                name="key"
                type="password"
                autocomplete="off"
                required
                pattern="\s*sb_secret_\S+\s*"
                title="sb_secret_…"
              />
            </label>
          )}
        {failed !== null && <p class="why" role="alert">{failed}</p>}
        <button type="submit" class="main-button" disabled={busy}>
          {busy ? "Asking…" : "Sign in"}
        </button>
        <p class="quiet">
          {as === "user"
            ? "You see the datasets that you own or that are shared with you."
            : "You see the whole deployment. The key stays in this tab."}
        </p>
      </form>
    </main>
  );
}
