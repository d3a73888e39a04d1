/** @jsxImportSource preact */
import { useLive } from "./live.ts";
import { Act, Ago, Empty, Panel, Shown, Table } from "./parts.tsx";
import { bytesText, countText, datasetText, several } from "./words.ts";

interface Letter {
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

interface BadFile {
  id: number;
  dataset_id: string;
  dataset_name: string;
  table: string;
  period_tag: string;
  code: string | null;
  reason: string | null;
  quarantined_at: string | null;
  bytes: number;
  rows: number;
}

/** Runs that were given up and files that were set aside, by their cause. */
export function Trouble() {
  const letters = useLive("/compaction/dlq-status?limit=200");
  const files = useLive("/compaction/quarantine?limit=200");
  return (
    <>
      <h1>Dead letters and quarantine</h1>
      <Shown live={letters}>
        {(answer: { open: number; letters: Letter[] }) => (
          <>
            {answer.letters.length === 0 && (
              <Panel title="Dead letters">
                <Empty>No run was given up.</Empty>
              </Panel>
            )}
            {byCause(answer.letters, ({ error_code }) => error_code).map(([code, rows]) => (
              <Panel
                key={code}
                title={`${several(rows.length, "run")} given up: ${code}`}
                says={rows[0].error_message ?? undefined}
                tools={
                  <Act
                    label={rows.length === 1 ? "Redrive" : "Redrive all"}
                    path="/compaction/dlq/redrive"
                    body={{ ids: rows.map(({ id }) => id) }}
                    done={({ redriven }) => `${several(redriven.length, "run")} asked for`}
                  />
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
        )}
      </Shown>
      <Shown live={files}>
        {(answer: { files: BadFile[] }) => (
          <>
            {answer.files.length === 0 && (
              <Panel title="Quarantine">
                <Empty>No file was set aside.</Empty>
              </Panel>
            )}
            {byCause(answer.files, ({ code, dataset_id }) => `${code ?? "unknown"}\n${dataset_id}`)
              .map(
                ([key, rows]) => (
                  <Panel
                    key={key}
                    title={`${several(rows.length, "file")} in quarantine: ${
                      rows[0].code ?? "unknown"
                    }`}
                    says={`in ${
                      datasetText(rows[0].dataset_name, rows[0].dataset_id)
                    }: listed and marked, and merged with nothing`}
                    tools={
                      <Act
                        label="Try again"
                        path="/compaction/quarantine/retry"
                        body={{ dataset_id: rows[0].dataset_id, files: rows.map(({ id }) => id) }}
                        done={(retried) =>
                          `${several(retried.files.length, "file")} will be tried again`}
                      />
                    }
                  >
                    <Table
                      label={`Files in quarantine: ${rows[0].code}`}
                      rows={rows}
                      keyOf={({ id }) => String(id)}
                      columns={[
                        {
                          head: "Partition",
                          cell: (f) => (
                            <a href={`#/datasets/${f.dataset_id}/${f.table}/${f.period_tag}`}>
                              {f.table} / {f.period_tag}
                            </a>
                          ),
                        },
                        {
                          head: "Why",
                          cell: ({ reason }) => <span class="words">{reason ?? "–"}</span>,
                        },
                        { head: "Rows", number: true, cell: (f) => countText(f.rows) },
                        { head: "Size", number: true, cell: (f) => bytesText(f.bytes) },
                        {
                          head: "Set aside",
                          number: true,
                          cell: (f) => <Ago time={f.quarantined_at} />,
                        },
                      ]}
                    />
                  </Panel>
                ),
              )}
          </>
        )}
      </Shown>
    </>
  );
}

function byCause<T>(rows: T[], causeOf: (row: T) => string): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const cause = causeOf(row);
    groups.set(cause, [...(groups.get(cause) ?? []), row]);
  }
  return [...groups].sort(([, a], [, b]) => b.length - a.length);
}
