/** @jsxImportSource preact */
import { useMemo, useState } from "preact/hooks";
import { Chart } from "./chart.tsx";
import { useLive } from "./live.ts";
import { Figure, Panel, Shown } from "./parts.tsx";
import { StuckPartitions, Troubles } from "./troubles.tsx";
import { bytesText, countText, several, spanText } from "./words.ts";

const windows: [value: string, text: string][] = [
  ["15m", "15 min"],
  ["24h", "24 h"],
  ["30d", "30 days"],
];

interface Sample {
  at: string;
  uploads: number;
  upload_bytes: number;
  merges: number;
  files_merged: number;
  lag_seconds: number;
  debt_partitions: number;
  debt_oldest_seconds: number;
}

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
            {o.scope === "deployment" && (
              <Panel
                title="Lately"
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
            )}
            {o.queues.length > 0 && <Queues queues={o.queues} />}
          </>
        )}
      </Shown>
    </>
  );
}

function Charts({ samples }: { samples: Sample[] }) {
  const lines = useMemo(() => {
    const times = samples.map(({ at }) => Date.parse(at) / 1000);
    // counters only rise; what a restored database had less of is nothing
    const risen = (of: (sample: Sample) => number) =>
      samples.slice(1).map((sample, i) => Math.max(0, of(sample) - of(samples[i])));
    const merges = risen(({ merges }) => merges), lags = risen(({ lag_seconds }) => lag_seconds);
    return {
      times,
      later: times.slice(1),
      uploads: risen(({ uploads }) => uploads),
      bytes: risen(({ upload_bytes }) => upload_bytes),
      merged: risen(({ files_merged }) => files_merged),
      lag: lags.map((seconds, i) => merges[i] > 0 ? seconds / merges[i] : null),
      debt: samples.map(({ debt_partitions }) => debt_partitions),
    };
  }, [samples]);
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  const lags = lines.lag.filter((value) => value !== null);
  const mean = lags.length > 0 ? sum(lags) / lags.length : null;
  return (
    <div class="charts">
      <Chart
        title="Uploads"
        says={countText(sum(lines.uploads))}
        times={lines.later}
        values={lines.uploads}
        text={countText}
        bars
      />
      <Chart
        title="Uploaded"
        says={bytesText(sum(lines.bytes))}
        times={lines.later}
        values={lines.bytes}
        text={bytesText}
        bars
      />
      <Chart
        title="Files merged"
        says={countText(sum(lines.merged))}
        times={lines.later}
        values={lines.merged}
        text={countText}
        bars
      />
      <Chart
        title="From due to merged"
        says={mean === null ? "no merges" : `${spanText(mean)} on average`}
        times={lines.later}
        values={lines.lag}
        text={spanText}
      />
      <Chart
        title="Partitions that owe work"
        says={countText(lines.debt.at(-1) ?? 0)}
        times={lines.times}
        values={lines.debt}
        text={countText}
      />
    </div>
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
