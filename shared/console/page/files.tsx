/** @jsxImportSource preact */
import { Download } from "./download.tsx";
import { Ago, Empty, Panel } from "./parts.tsx";
import { Table } from "./table.tsx";
import { bytesText, countText, several } from "./words.ts";

/** The address of a file's bytes by the functions' own route. */
export const contentPath = (id: number): string => `/battle-data/files/${id}/content`;

/** A data file of the manifest. */
export interface File {
  id: number;
  level: number;
  size: number;
  row_count: number;
  row_group_count: number;
  state: string;
  quarantine_reason: string | null;
  uploaded_at: string;
  error?: { message: string };
}

/** Files by level, each with its bytes or why there are none. */
export function Files({ files }: { files: File[] }) {
  const sorted = [...files].sort((a, b) => b.level - a.level || b.size - a.size);
  return (
    <Panel title={several(files.length, "file")} says="by level: 0 as uploaded, above as merged">
      {files.length === 0 ? <Empty>No file is left in it.</Empty> : (
        <Table
          label="Files"
          rows={sorted}
          keyOf={({ id }) => String(id)}
          columns={[
            {
              head: "Level",
              number: true,
              cell: ({ level }) =>
                level,
            },
            {
              head: "Size",
              number: true,
              cell: ({ size }) =>
                bytesText(size),
            },
            { head: "Rows", number: true, cell: ({ row_count }) => countText(row_count) },
            {
              head: "Row groups",
              number: true,
              cell: ({ row_group_count }) => countText(row_group_count),
            },
            {
              head: "Written",
              number: true,
              cell: ({ uploaded_at }) => <Ago time={uploaded_at} />,
            },
            {
              head: "Bytes",
              cell: ({ id, error, state, quarantine_reason }) =>
                error ? <span class="state bad">{error.message}</span> : (
                  <>
                    {state === "quarantined" && (
                      <span class="state bad">in quarantine: {quarantine_reason}</span>
                    )}
                    <Download path={contentPath(id)} as={`file-${id}.parquet`} />
                  </>
                ),
            },
          ]}
        />
      )}
    </Panel>
  );
}
