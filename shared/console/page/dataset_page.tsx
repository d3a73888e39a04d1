/** @jsxImportSource preact */
import { Act } from "./act.tsx";
import { Delete } from "./delete.tsx";
import { useLive } from "./live.ts";
import { type Partition, PartitionTable } from "./partitions.tsx";
import { Ago, Empty, Panel, Shown, Trail } from "./parts.tsx";
import { useScope } from "./scope.ts";
import { Table } from "./table.tsx";
import { TableSettings } from "./table_settings.tsx";
import { bytesText, countText, several } from "./words.ts";

interface Tables {
  version: number;
  committed_at: string | null;
  tables: {
    table: string;
    files: number;
    rows: number;
    bytes: number;
    uncompressed_bytes: number;
    quarantined_files: number;
    last_uploaded_at: string;
    conflict: string | null;
    columns: unknown[];
    periods: { period_tag: string; files: number; rows: number; bytes: number }[];
  }[];
}

/** A dataset: its tables. */
export function DatasetPage({ id }: { id: string }) {
  const live = useLive<Tables>(`/battle-data/tables?dataset_id=${id}`, 10);
  const stuck = useLive(`/compaction/partitions?dataset_id=${id}&state=stuck`);
  return (
    <>
      <Trail steps={[["Datasets", "#/datasets"]]} />
      <h1>
        Dataset <code>{id}</code>
      </h1>
      <div class="tools">
        <Act
          label="Compact now"
          path="/compaction"
          body={{ dataset_id: id, priority: "manual" }}
          done={({ message }) => message}
        />
        <Delete what="dataset" name={id} path={`/battle-data/datasets/${id}`} then="#/datasets" />
      </div>
      <Shown live={stuck}>
        {({ partitions }: { partitions: Partition[] }) =>
          partitions.length > 0 && (
            <Panel title="Stuck">
              <PartitionTable partitions={partitions} label="Stuck partitions" />
            </Panel>
          )}
      </Shown>
      <Shown live={live}>
        {({ tables, version }) => (
          <Panel title={several(tables.length, "table")} says={`at version ${version}`}>
            {tables.length === 0 ? <Empty>No rows are in it.</Empty> : (
              <Table
                label="Tables"
                rows={tables}
                keyOf={({ table }) => table}
                columns={[
                  {
                    head: "Table",
                    cell: ({ table }) => <a href={`#/datasets/${id}/${table}`}>{table}</a>,
                  },
                  {
                    head: "Periods",
                    number: true,
                    cell: ({ periods }) =>
                      countText(periods.length),
                  },
                  {
                    head: "Rows",
                    number: true,
                    cell: ({ rows }) =>
                      countText(rows),
                  },
                  { head: "Files", number: true, cell: ({ files }) => countText(files) },
                  { head: "Stored", number: true, cell: ({ bytes }) => bytesText(bytes) },
                  {
                    head: "Columns",
                    number: true,
                    cell: ({ columns }) => countText(columns.length),
                  },
                  {
                    head: "In quarantine",
                    number: true,
                    cell: (t) => countText(t.quarantined_files),
                  },
                  {
                    head: "Last upload",
                    number: true,
                    cell: (t) => <Ago time={t.last_uploaded_at} />,
                  },
                ]}
              />
            )}
          </Panel>
        )}
      </Shown>
      {useScope() === "deployment" && <TableSettings id={id} table="*" />}
    </>
  );
}
