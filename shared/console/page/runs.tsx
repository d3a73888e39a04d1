/** @jsxImportSource preact */
import { useState } from "preact/hooks";
import { AtWork } from "./at_work.tsx";
import { useLive } from "./live.ts";
import { Empty, Panel, Shown } from "./parts.tsx";
import { RunTable } from "./run_table.tsx";

/** Runs as they come. */
export function Runs() {
  const [failed, setFailed] = useState(false);
  const [before, setBefore] = useState<string | null>(null);
  const live = useLive(
    `/compaction/runs?limit=50${failed ? "&failed=1" : ""}${
      before ? `&before=${encodeURIComponent(before)}` : ""
    }`,
    before === null ? 3 : 30,
  );
  const choose = (only: boolean) => {
    setFailed(only);
    setBefore(null);
  };
  return (
    <>
      <h1>Runs</h1>
      <AtWork />
      <Panel
        title={before === null ? "The latest" : "Before"}
        tools={
          <div class="choice" role="group" aria-label="Which">
            <button type="button" aria-pressed={!failed} onClick={() => choose(false)}>All</button>
            <button type="button" aria-pressed={failed} onClick={() => choose(true)}>Failed</button>
          </div>
        }
      >
        <Shown live={live}>
          {({ runs, next_before }) => (
            <>
              {runs.length === 0
                ? (
                  <Empty>
                    {failed
                      ? "None has failed."
                      : "No run yet: uploads make them, and so does Compact now on a dataset."}
                  </Empty>
                )
                : <RunTable runs={runs} />}
              <div class="tools">
                {before !== null && (
                  <button
                    type="button"
                    class="quiet-button"
                    onClick={() => setBefore(null)}
                  >
                    The latest
                  </button>
                )}
                {next_before !== null && (
                  <button
                    type="button"
                    class="quiet-button"
                    onClick={() => setBefore(next_before)}
                  >
                    Older
                  </button>
                )}
              </div>
            </>
          )}
        </Shown>
      </Panel>
    </>
  );
}
