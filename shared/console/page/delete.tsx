/** @jsxImportSource preact */
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { tell } from "./told.tsx";
import { tellChange } from "./live.ts";
import { call } from "./session.ts";

/** A deletion: done when its name was typed. */
export function Delete(
  { what, name, path, then }: { what: string; name: string; path: string; then: string },
) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState("");
  const submit = async (event: JSX.TargetedEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (typed !== name) return;
    try {
      await call("DELETE", path);
      dialog.current!.close();
      tell(`${what} ${name} is deleted: versions of before show it for the retention.`);
      tellChange();
      location.hash = then;
    } catch (thrown) {
      tell((thrown as Error).message, true);
    }
  };
  return (
    <>
      <button
        type="button"
        class="quiet-button danger"
        aria-label={`Delete ${what} ${name}…`}
        onClick={() => dialog.current!.showModal()}
      >
        Delete…
      </button>
      <dialog ref={dialog} aria-label={`Delete ${what} ${name}`} onClose={() => setTyped("")}>
        <form onSubmit={submit}>
          <h2>Delete {what} {name}?</h2>
          <p>
            Its rows leave every list at once. To go on, type <code>{name}</code>.
          </p>
          <label>
            Name
            <input
              value={typed}
              onInput={(event) => setTyped(event.currentTarget.value)}
              autocomplete="off"
            />
          </label>
          <div class="tools">
            <button type="button" class="quiet-button" onClick={() => dialog.current!.close()}>
              Keep it
            </button>
            <button type="submit" class="main-button danger" disabled={typed !== name}>
              Delete
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}
