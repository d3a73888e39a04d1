/** @jsxImportSource preact */
import { useState } from "preact/hooks";
import { Empty, Panel } from "./parts.tsx";
import type { ReadRows } from "./rows_reader.ts";
import { ask } from "./session.ts";
import { several } from "./words.ts";

const count = 100;

/** The first rows of a table, or of a period of it: read by the reader, which the page loads when somebody asks. */
export function FirstRows(props: { datasetId: string; table: string; period?: string }) {
  const [busy, setBusy] = useState(false);
  const [read, setRead] = useState<ReadRows | null>(null);
  const [failed, setFailed] = useState<string | null>(null);
  const show = async () => {
    setBusy(true);
    setFailed(null);
    try {
      const { readRows } = await import("./rows_reader.ts");
      setRead(await readRows({ ...props, origin: location.origin, ask, count }));
    } catch (thrown) {
      setFailed((thrown as Error).message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Panel
      title="Rows"
      says={read === null
        ? "The first hundred, in the order of upload"
        : `The first ${read.rows.length}, in the order of upload${
          read.leftOut > 0 ? `; ${several(read.leftOut, "file")} could not be read` : ""
        }`}
      tools={
        <button type="button" class="quiet-button" disabled={busy} onClick={show}>
          {busy ? "Reading…" : read === null ? "Show 100 rows" : "Read anew"}
        </button>
      }
    >
      {failed !== null && <p class="why" role="alert">{failed}</p>}
      {read !== null && read.rows.length === 0 && <Empty>No row is in it.</Empty>}
      {read !== null && read.rows.length > 0 && (
        // a region that scrolls is reached by keyboard
        <div class="scroll" tabIndex={0} role="region" aria-label="Rows">
          <table class="rows">
            <thead>
              <tr>
                {read.columns.map(({ name, type }) => (
                  <th scope="col" key={name}>
                    {name} <span class="quiet">{type}</span>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {read.rows.map((row, i) => (
                <tr key={i}>
                  {row.map((text, j) => (
                    <td key={j} class={text === null ? "quiet" : ""}>{text ?? "null"}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
