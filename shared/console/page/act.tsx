/** @jsxImportSource preact */
import { useState } from "preact/hooks";
import { tellChange } from "./live.ts";
import { call } from "./session.ts";
import { tell } from "./told.tsx";

/** A button that asks the service for something, and says how that went. */
export function Act(
  { label, method = "POST", path, body, done, quiet = false }: {
    label: string;
    method?: string;
    path: string;
    body?: unknown;
    /** What to say then. */
    // deno-lint-ignore no-explicit-any -- the answer of whichever route
    done: (answer: any) => string;
    quiet?: boolean;
  },
) {
  const [busy, setBusy] = useState(false);
  const act = async () => {
    setBusy(true);
    try {
      const answer = await call(method, path, body);
      tell(done(answer.body));
      tellChange();
    } catch (thrown) {
      tell((thrown as Error).message, true);
    } finally {
      setBusy(false);
    }
  };
  return (
    <button
      type="button"
      class={quiet ? "quiet-button" : "main-button"}
      disabled={busy}
      onClick={act}
    >
      {busy ? "Asking…" : label}
    </button>
  );
}
