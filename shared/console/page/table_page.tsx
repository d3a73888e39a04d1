/** @jsxImportSource preact */
import { useState } from "preact/hooks";
import { Act } from "./act.tsx";
import { Delete } from "./delete.tsx";
import { FirstRows } from "./first_rows.tsx";
import { useLive } from "./live.ts";
import { type Partition, PartitionTable } from "./partitions.tsx";
import { Empty, Panel, Shown, Trail } from "./parts.tsx";
import { type Rewrite, RewriteTold } from "./rewrite_told.tsx";
import { SchemaHistory, type Schemas } from "./schema_history.tsx";
import { useScope } from "./scope.ts";
import { TableSettings } from "./table_settings.tsx";
import { several } from "./words.ts";

/** A table: its periods, its columns and how these came to be, its first rows, what it goes by. */
export function TablePage({ id, table }: { id: string; table: string }) {
  const schemas = useLive<Schemas>(`/battle-data/tables?dataset_id=${id}&schemas=1`, 30);
  const rewrites = useLive<{ rewrites: Rewrite[] }>(`/compaction/rewrite?dataset_id=${id}`, 10);
  return (
    <>
      <Trail steps={[["Datasets", "#/datasets"], [id.slice(0, 8), `#/datasets/${id}`]]} />
      <h1>{table}</h1>
      <div class="tools">
        <Act
          label="Compact now"
          path="/compaction"
          body={{ dataset_id: id, table, priority: "manual" }}
          done={({ message }) => message}
        />
        <Act
          quiet
          label="Write anew by its settings"
          path="/compaction/rewrite"
          body={{ dataset_id: id, table }}
          done={() => `${table} is written anew, over time`}
        />
        <Delete
          what="table"
          name={table}
          path={`/battle-data/datasets/${id}/tables/${table}`}
          then={`#/datasets/${id}`}
        />
      </div>
      <Shown live={rewrites}>
        {(answer) => <RewriteTold rewrite={answer.rewrites.find((one) => one.table === table)} />}
      </Shown>
      <Periods id={id} table={table} />
      <FirstRows datasetId={id} table={table} />
      <Shown live={schemas}>
        {({ tables }) => <SchemaHistory of={tables.find((one) => one.table === table)} />}
      </Shown>
      {useScope() === "deployment" && <TableSettings id={id} table={table} />}
    </>
  );
}

const pagePeriods = 200;

function Periods({ id, table }: { id: string; table: string }) {
  const [cursor, setCursor] = useState<string | null>(null);
  const live = useLive<{ partitions: Partition[]; next_cursor: string | null }>(
    `/compaction/partitions?dataset_id=${id}&table=${table}&limit=${pagePeriods}${
      cursor ? `&cursor=${cursor}` : ""
    }`,
  );
  return (
    <Shown live={live}>
      {({ partitions, next_cursor }) => (
        <Panel
          title={next_cursor === null && cursor === null
            ? several(partitions.length, "period")
            : "A page of periods"}
          tools={
            <>
              {cursor !== null && (
                <button
                  type="button"
                  class="quiet-button"
                  onClick={() => setCursor(null)}
                >
                  First page
                </button>
              )}
              {next_cursor !== null && (
                <button
                  type="button"
                  class="quiet-button"
                  onClick={() => setCursor(next_cursor)}
                >
                  Next page
                </button>
              )}
            </>
          }
        >
          {partitions.length === 0
            ? <Empty>No period is in it.</Empty>
            : <PartitionTable partitions={[...partitions].reverse()} label="Periods" />}
        </Panel>
      )}
    </Shown>
  );
}
