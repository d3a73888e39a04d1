/** @jsxImportSource preact */
import { useEffect, useState } from "preact/hooks";
import { tellChange } from "./live.ts";
import { ask, call, refusalOf } from "./session.ts";

let say: (text: string, bad?: boolean) => void = () => {};

/** Tells how something that was asked for went. */
export const tell = (text: string, bad = false): void => say(text, bad);

/** Where {@link tell} is heard: one line, read out. */
export function Told() {
  const [told, setTold] = useState<{ text: string; bad: boolean } | null>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    say = (text, bad = false) => {
      clearTimeout(timer);
      setTold({ text, bad });
      timer = setTimeout(() => setTold(null), bad ? 15_000 : 6_000);
    };
    return () => clearTimeout(timer);
  }, []);
  return (
    <div class="told" role="status" aria-live="polite">
      {told && <p class={told.bad ? "bad" : ""}>{told.text}</p>}
    </div>
  );
}

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

/** A button that saves a file: by a call, since a link can't say who asks. */
export function Download({ path, as }: { path: string; as: string }) {
  const [busy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    try {
      const response = await ask(path);
      if (!response.ok) throw await refusalOf(response);
      const address = URL.createObjectURL(await response.blob());
      const link = Object.assign(document.createElement("a"), { href: address, download: as });
      link.click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    } catch (thrown) {
      tell((thrown as Error).message, true);
    } finally {
      setBusy(false);
    }
  };
  return (
    <button
      type="button"
      class="link-button"
      disabled={busy}
      aria-label={`Download ${as}`}
      onClick={save}
    >
      {busy ? "Fetching…" : "Download"}
    </button>
  );
}
