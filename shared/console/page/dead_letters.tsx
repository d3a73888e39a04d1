/** @jsxImportSource preact */
import { Act } from "./act.tsx";
import { byCause } from "./by_cause.ts";
import { Ago, Empty, Panel } from "./parts.tsx";
import { Table } from "./table.tsx";
import { several } from "./words.ts";

/** A run that was given up. */
export interface Letter {
  id: number;
  dataset_id: string | null;
  table: string | null;
  period_tag: string | null;
  run_id: string | null;
  error_code: string;
  error_message: string | null;
  error_step: string | null;
  attempts: number;
  last_failed_at: string;
}

/** Runs that were given up, by their cause: redriven, or dropped. */
export function DeadLetters({ letters }: { letters: Letter[] }) {
  return (
    <>
      {letters.length === 0 && (
        <Panel title="Dead letters">
          <Empty>No run was given up.</Empty>
        </Panel>
      )}
      {byCause(letters, ({ error_code }) => error_code).map(([code, rows]) => (
        <Panel
          key={code}
          title={`${several(rows.length, "run")} given up: ${code}`}
          says={rows[0].error_message ?? undefined}
          tools={
            <>
              <Act
                label={rows.length === 1 ? "Redrive" : "Redrive all"}
                path="/compaction/dlq/redrive"
                body={{ ids: rows.map(({ id }) => id) }}
                done={({ redriven }) => `${several(redriven.length, "run")} asked for`}
              />
              <Act
                quiet
                label={rows.length === 1 ? "Drop" : "Drop all"}
                path="/compaction/dlq/drop"
                body={{ ids: rows.map(({ id }) => id) }}
                done={({ dropped }) =>
                  `${several(dropped.length, "letter")} closed; the files stay as they are`}
              />
            </>
          }
        >
          <Table
            label={`Dead letters: ${code}`}
            rows={rows}
            keyOf={({ id }) => String(id)}
            columns={[
              {
                head: "Partition",
                cell: (l) =>
                  l.table === null || l.dataset_id === null
                    ? "a message that nobody understood"
                    : (
                      <a href={`#/datasets/${l.dataset_id}/${l.table}/${l.period_tag}`}>
                        {l.dataset_id.slice(0, 8)} / {l.table} / {l.period_tag}
                      </a>
                    ),
              },
              {
                head: "Why",
                cell: (l) => <span class="words">{l.error_message ?? l.error_code}</span>,
              },
              { head: "Step", cell: ({ error_step }) => error_step ?? "–" },
              { head: "Attempts", number: true, cell: ({ attempts }) => attempts },
              { head: "Failed", number: true, cell: (l) => <Ago time={l.last_failed_at} /> },
              {
                head: "Run",
                cell: ({ run_id }) => run_id && <a href={`#/runs/${run_id}`}>Its run</a>,
              },
            ]}
          />
        </Panel>
      ))}
    </>
  );
}
