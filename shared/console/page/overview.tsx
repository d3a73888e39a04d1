/** @jsxImportSource preact */
import { useState } from "preact/hooks";
import { Charts } from "./charts.tsx";
import { useLive } from "./live.ts";
import { Figure, Panel, Shown } from "./parts.tsx";
import { StuckPartitions } from "./partitions.tsx";
import { Troubles } from "./troubles.tsx";
import { bytesText, countText, several, spanText } from "./words.ts";

const windows: [value: string, text: string][] = [
  ["15m", "15 min"],
  ["24h", "24 h"],
  ["30d", "30 days"],
];

/** What is there, what is wrong, and how it went lately. */
export function Overview() {
  const [range, setRange] = useState("24h");
  const overview = useLive(`/compaction/overview?window=${range}`);
  const stuck = useLive("/compaction/partitions?state=stuck&limit=20");
  return (
    <>
      <h1>Overview</h1>
      <Shown live={overview}>
        {(o) => (
          <>
            <Panel title="Now">
              <Troubles
                overview={o}
                stuck={o.dead_partitions > 0 && (
                  <Shown live={stuck}>
                    {({ partitions }) => <StuckPartitions partitions={partitions} />}
                  </Shown>
                )}
              />
            </Panel>
            <dl class="figures">
              <Figure
                name={o.totals.datasets === 1 ? "Dataset" : "Datasets"}
                value={countText(o.totals.datasets)}
              />
              <Figure name="Rows" value={countText(o.totals.rows)} />
              <Figure name="Files" value={countText(o.totals.files)} />
              <Figure name="Stored" value={bytesText(o.totals.bytes)} />
              <Figure
                name="Waits to be merged"
                value={several(o.debt.files, "file")}
                says={o.debt.oldest
                  ? `${bytesText(o.debt.bytes)}, the oldest for ${
                    spanText((Date.now() - Date.parse(o.debt.oldest)) / 1000)
                  }`
                  : "nothing waits"}
              />
              {o.workers && (
                <Figure
                  name="Workers"
                  value={`${o.workers.busy} of ${o.workers.max}`}
                  says="at work"
                />
              )}
            </dl>
            <Panel
              title="Lately"
              says={o.scope === "user" &&
                "Of your hundred datasets that were changed last, as far back as versions are kept"}
              tools={
                <div class="choice" role="group" aria-label="How far back">
                  {windows.map(([value, text]) => (
                    <button
                      type="button"
                      aria-pressed={range === value}
                      onClick={() => setRange(value)}
                    >
                      {text}
                    </button>
                  ))}
                </div>
              }
            >
              <Charts samples={o.samples} />
            </Panel>
            {o.queues.length > 0 && <Queues queues={o.queues} />}
          </>
        )}
      </Shown>
    </>
  );
}

function Queues(
  { queues }: {
    queues: { queue: string; messages: number; due: number; oldest_due_at: string | null }[];
  },
) {
  return (
    <Panel title="Queues">
      <dl class="figures small">
        {queues.map(({ queue, messages, due, oldest_due_at }) => (
          <Figure
            name={queue}
            value={several(messages, "message")}
            says={due === 0
              ? "none due"
              : `${countText(due)} due, the oldest for ${
                spanText(Math.max(0, (Date.now() - Date.parse(oldest_due_at ?? "")) / 1000))
              }`}
          />
        ))}
      </dl>
    </Panel>
  );
}
