/** @jsxImportSource preact */
import { Ago, State } from "./parts.tsx";
import { Table } from "./table.tsx";
import { bytesText, countText, datasetText } from "./words.ts";

/** A run in a list. */
export interface Run {
  id: string;
  dataset_id: string;
  dataset_name: string;
  table: string | null;
  period_tag: string | null;
  operation: string;
  trigger: string;
  status: string;
  step: string | null;
  attempts: number;
  error_code: string | null;
  files_before: number;
  files_after: number;
  bytes_before: number;
  queued_at: string;
  started_at: string | null;
  completed_at: string | null;
}

/** Runs, one a row. */
export function RunTable({ runs }: { runs: Run[] }) {
  return (
    <Table
      label="Runs"
      rows={runs}
      keyOf={({ id }) => id}
      columns={[
        {
          head: "Run",
          cell: ({ id }) => (
            <a href={`#/runs/${id}`} title={id}>
              <code>{id.slice(0, 8)}</code>
            </a>
          ),
        },
        {
          head: "Of",
          cell: (r) =>
            r.table === null
              ? `${datasetText(r.dataset_name, r.dataset_id)}, all that is in debt`
              : `${datasetText(r.dataset_name, r.dataset_id)} / ${r.table} / ${r.period_tag}`,
        },
        {
          head: "State",
          cell: (r) => (
            <>
              <State of={r.status} />{" "}
              {r.status === "running" && <span class="quiet">{r.step}</span>}
              {r.error_code !== null && r.status !== "success" && (
                <span class="quiet">{r.error_code}</span>
              )}
            </>
          ),
        },
        {
          head: "Files",
          number: true,
          cell: (r) =>
            r.files_before === 0
              ? "–"
              : `${countText(r.files_before)} → ${countText(r.files_after)}`,
        },
        {
          head: "Read",
          number: true,
          cell: (r) => r.bytes_before === 0 ? "–" : bytesText(r.bytes_before),
        },
        { head: "Attempts", number: true, cell: ({ attempts }) => attempts || "–" },
        { head: "Queued", number: true, cell: ({ queued_at }) => <Ago time={queued_at} /> },
      ]}
    />
  );
}
