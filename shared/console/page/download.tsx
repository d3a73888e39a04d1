/** @jsxImportSource preact */
import { useState } from "preact/hooks";
import { ask, refusalOf } from "./session.ts";
import { tell } from "./told.tsx";

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
