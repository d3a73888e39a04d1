/** @jsxImportSource preact */
import { Act } from "./act.tsx";
import { Download } from "./download.tsx";
import { byCause } from "./by_cause.ts";
import { Delete } from "./delete.tsx";
import { contentPath } from "./files.tsx";
import { Ago, Empty, Panel } from "./parts.tsx";
import { Table } from "./table.tsx";
import { bytesText, countText, datasetText, several } from "./words.ts";

/** A file that was set aside. */
export interface BadFile {
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
  upload_id?: string | null;
}

/** Files that were set aside, by their cause: fetched, tried again, or their upload deleted. */
export function Quarantine({ files }: { files: BadFile[] }) {
  return (
    <>
      {files.length === 0 && (
        <Panel title="Quarantine">
          <Empty>No file was set aside.</Empty>
        </Panel>
      )}
      {byCause(files, ({ code, dataset_id }) => `${code ?? "unknown"}\n${dataset_id}`)
        .map(
          ([key, rows]) => (
            <Panel
              key={key}
              title={`${several(rows.length, "file")} in quarantine: ${rows[0].code ?? "unknown"}`}
              says={`in ${
                datasetText(rows[0].dataset_name, rows[0].dataset_id)
              }: listed and marked, and merged with nothing`}
              tools={
                <Act
                  label="Try again"
                  path="/compaction/quarantine/retry"
                  body={{ dataset_id: rows[0].dataset_id, files: rows.map(({ id }) => id) }}
                  done={(retried) => `${several(retried.files.length, "file")} will be tried again`}
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
                  {
                    head: "File",
                    cell: ({ id, upload_id }) => (
                      <div class="tools">
                        <Download path={contentPath(id)} as={`file-${id}.parquet`} />
                        {upload_id && (
                          <Delete
                            what="the upload of file"
                            name={String(id)}
                            path={`/battle-data/uploads/${upload_id}`}
                            then="#/trouble"
                          />
                        )}
                      </div>
                    ),
                  },
                ]}
              />
            </Panel>
          ),
        )}
    </>
  );
}
