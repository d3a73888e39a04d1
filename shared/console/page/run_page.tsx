/** @jsxImportSource preact */
import { useLive } from "./live.ts";
import { Ago, Empty, Figure, Panel, Shown, State, Trail } from "./parts.tsx";
import { Table } from "./table.tsx";
import { bytesText, countText, several, spanText, triggers } from "./words.ts";

interface Timeline {
  dataset_id: string;
  table: string | null;
  period_tag: string | null;
  operation: string;
  trigger: string;
  status: string;
  step: string | null;
  decision: string | null;
  attempts: number;
  error: { code: string; message: string | null; step: string | null } | null;
  queued_at: string;
  started_at: string | null;
  completed_at: string | null;
  next_attempt_at: string | null;
  worker: string | null;
  worked_seconds: number;
  steps_ms: Record<string, number>;
  output: { rows_before?: number; rows_after?: number } | null;
  outputs: {
    ordinal: number;
    committed_at: string;
    file_id: number | null;
    rows: number | null;
    bytes: number | null;
    row_groups: number | null;
    level: number | null;
    inputs: number | null;
  }[];
}

/** One run by step and output. */
export function RunPage({ id }: { id: string }) {
  const live = useLive<Timeline>(`/compaction/runs/${id}`, 3);
  return (
    <>
      <Trail steps={[["Runs", "#/runs"]]} />
      <h1>
        Run <code>{id}</code>
      </h1>
      <Shown live={live}>{(run) => <Details run={run} />}</Shown>
    </>
  );
}

const order = ["validate-dataset", "list-fragments", "merge", "update-metadata"];

function Details({ run }: { run: Timeline }) {
  const steps = Object.entries(run.steps_ms)
    .sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
  const longest = Math.max(1, ...steps.map(([, ms]) => ms));
  const files = run.outputs.filter(({ file_id }) => file_id !== null);
  return (
    <>
      <Panel
        title="What became of it"
        says={run.table === null
          ? "All that is in debt in the dataset"
          : (
            <a href={`#/datasets/${run.dataset_id}/${run.table}/${run.period_tag}`}>
              {run.table} / {run.period_tag}
            </a>
          )}
      >
        <dl class="figures small">
          <Figure
            name="State"
            value={<State of={run.status} />}
            says={run.status === "running" ? run.step : undefined}
          />
          <Figure
            name="Asked for by"
            value={triggers[run.trigger] ?? run.trigger}
            says={<Ago time={run.queued_at} />}
          />
          <Figure
            name="Begun"
            value={<Ago time={run.started_at} />}
            says={run.attempts > 0 ? several(run.attempts, "attempt") : undefined}
          />
          <Figure
            name="Ended"
            value={<Ago time={run.completed_at} />}
            says={run.started_at && run.completed_at
              ? `after ${
                spanText((Date.parse(run.completed_at) - Date.parse(run.started_at)) / 1000)
              }`
              : undefined}
          />
        </dl>
        {run.error !== null && (
          <p class="why">
            {run.error.message ?? run.error.code} ({run.error.code}
            {run.error.step && ` in the step ${run.error.step}`})
            {run.next_attempt_at && (
              <>
                – tried again <Ago time={run.next_attempt_at} />
              </>
            )}
          </p>
        )}
        {run.decision !== null && <p class="words">{run.decision}</p>}
      </Panel>
      <Panel title="Steps">
        {steps.length === 0 ? <Empty>No step has ended yet.</Empty> : (
          <ol class="steps">
            {steps.map(([name, ms]) => (
              <li>
                <span>{name}</span>
                <span class="bar">
                  <i style={{ width: `${Math.max(1, 100 * ms / longest)}%` }} />
                </span>
                <span class="number">{spanText(ms / 1000)}</span>
              </li>
            ))}
          </ol>
        )}
      </Panel>
      {files.length > 0 && (
        <Panel title={several(files.length, "output")}>
          <Table
            label="Outputs"
            rows={files}
            keyOf={({ ordinal }) => String(ordinal)}
            columns={[
              { head: "Output", cell: ({ ordinal }) => ordinal + 1 },
              {
                head: "Made of",
                number: true,
                cell: ({ inputs }) => inputs === null ? "–" : several(inputs, "file"),
              },
              {
                head: "Rows",
                number: true,
                cell: ({ rows }) => rows === null ? "replaced since" : countText(rows),
              },
              {
                head: "Size",
                number: true,
                cell: ({ bytes }) => bytes === null ? "–" : bytesText(bytes),
              },
              {
                head: "Row groups",
                number: true,
                cell: (o) => o.row_groups === null ? "–" : countText(o.row_groups),
              },
              { head: "Level", number: true, cell: ({ level }) => level ?? "–" },
              { head: "Committed", number: true, cell: (o) => <Ago time={o.committed_at} /> },
            ]}
          />
        </Panel>
      )}
    </>
  );
}
