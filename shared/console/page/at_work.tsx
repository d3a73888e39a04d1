/** @jsxImportSource preact */
import { useLive } from "./live.ts";
import { Empty, Panel, Shown } from "./parts.tsx";
import { type Partition, partitionHref } from "./partitions.tsx";
import { Table } from "./table.tsx";
import { bytesText, countText, datasetText, several } from "./words.ts";

/** As many as there can be workers. */
const mostWorkers = 64;

/** What the workers hold: each a partition at a time, in a slot of its own. */
export function AtWork() {
  const live = useLive<{ partitions: Partition[] }>(
    `/compaction/partitions?state=running&limit=${mostWorkers}`,
    3,
  );
  return (
    <Shown live={live}>
      {({ partitions }) => (
        <Panel
          title={partitions.length === 0
            ? "At work"
            : `${several(partitions.length, "worker")} at work`}
        >
          {partitions.length === 0 ? <Empty>No worker has anything to do.</Empty> : (
            <Table
              label="At work"
              rows={partitions}
              keyOf={partitionHref}
              columns={[
                {
                  head: "Partition",
                  cell: (p) => (
                    <a href={partitionHref(p)}>
                      {datasetText(p.dataset_name, p.dataset_id)} / {p.table} / {p.period_tag}
                    </a>
                  ),
                },
                {
                  head: "Run",
                  cell: ({ run_id }) =>
                    run_id && (
                      <a href={`#/runs/${run_id}`} title={run_id}>
                        <code>{run_id.slice(0, 8)}</code>
                      </a>
                    ),
                },
                { head: "Files that wait", number: true, cell: (p) => countText(p.debt_files) },
                { head: "Of", number: true, cell: (p) => bytesText(p.debt_bytes) },
              ]}
            />
          )}
        </Panel>
      )}
    </Shown>
  );
}
