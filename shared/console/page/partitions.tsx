/** @jsxImportSource preact */
import { Act } from "./act.tsx";
import { Ago, State } from "./parts.tsx";
import { Table } from "./table.tsx";
import { countText, datasetText, several } from "./words.ts";

/** A partition as the service tells of it. */
export interface Partition {
  dataset_id: string;
  dataset_name: string;
  table: string;
  period_tag: string;
  state: string;
  debt_files: number;
  debt_bytes: number;
  next_due_at: string | null;
  run_id: string | null;
  last_decision: string | null;
  last_considered_at: string | null;
  dead_since: string | null;
  left_alone_files: number;
  error: {
    letter_id: number;
    code: string;
    message: string | null;
    step: string | null;
    attempts: number;
    failed_at: string | null;
  } | null;
}

/** The page of a partition. */
export const partitionHref = (
  p: { dataset_id: string; table: string; period_tag: string },
): string => `#/datasets/${p.dataset_id}/${p.table}/${p.period_tag}`;

/** Stuck partitions, each with why and the button that gives it another run. */
export function StuckPartitions({ partitions }: { partitions: Partition[] }) {
  return (
    <ul class="stuck" aria-label="Stuck partitions">
      {partitions.map((partition) => (
        <li key={partitionHref(partition)}>
          <div>
            <a href={partitionHref(partition)}>
              {datasetText(partition.dataset_name, partition.dataset_id)} / {partition.table} /{" "}
              {partition.period_tag}
            </a>{" "}
            <State of={partition.state} />{" "}
            <span class="quiet">
              since <Ago time={partition.dead_since} />
            </span>
            <p>{whyText(partition)}</p>
          </div>
          <Redrive partition={partition} />
        </li>
      ))}
    </ul>
  );
}

/** Why a partition is stuck, in words. */
export function whyText({ error, last_decision }: Partition): string {
  if (error === null) return last_decision ?? "Its run was given up.";
  const step = error.step === null ? "" : ` in the step ${error.step}`;
  return `${error.message ?? error.code} (${error.code}${step}, after ${
    several(error.attempts, "attempt")
  })`;
}

/** Gives a stuck partition another run. */
export function Redrive({ partition }: { partition: Partition }) {
  const { dataset_id, table, period_tag, error } = partition;
  // its letter was dropped: there is none to redrive
  if (error === null) {
    return (
      <Act
        label="Compact now"
        path="/compaction"
        body={{ dataset_id, table, period_tag, priority: "manual" }}
        done={() => `${table} / ${period_tag} gets another run`}
      />
    );
  }
  return (
    <Act
      label="Redrive"
      path="/compaction/dlq/redrive"
      body={{ ids: [error.letter_id] }}
      done={(answer) =>
        answer.redriven.length > 0
          ? `${table} / ${period_tag} gets another run`
          : `Not redriven: ${answer.skipped[0]?.reason ?? "it is open no more"}`}
    />
  );
}

/** Partitions, one a row, each with its last decision. */
export function PartitionTable({ partitions, label }: { partitions: Partition[]; label: string }) {
  return (
    <Table
      label={label}
      rows={partitions}
      keyOf={partitionHref}
      columns={[
        { head: "Period", cell: (p) => <a href={partitionHref(p)}>{p.period_tag}</a> },
        { head: "State", cell: ({ state }) => <State of={state} /> },
        { head: "Waiting", number: true, cell: ({ debt_files }) => countText(debt_files) },
        {
          head: "Last decision",
          cell: (p) => (
            <span class="words">
              {p.state === "dead" ? whyText(p) : p.last_decision ?? "none yet"}
            </span>
          ),
        },
        { head: "Looked at", number: true, cell: (p) => <Ago time={p.last_considered_at} /> },
        { head: "Action", cell: (p) => p.state === "dead" ? <Redrive partition={p} /> : null },
      ]}
    />
  );
}
