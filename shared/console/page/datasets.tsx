/** @jsxImportSource preact */
import { useState } from "preact/hooks";
import { useLive } from "./live.ts";
import { Ago, Empty, Panel, Shown, State } from "./parts.tsx";
import { Table } from "./table.tsx";
import { bytesText, countText, datasetText, several } from "./words.ts";

interface Dataset {
  id: string;
  name: string;
  files: number;
  rows: number;
  bytes: number;
  debt_files: number;
  running: boolean;
  dead_partitions: number;
  updated_at: string;
  role: string;
}

/** How a dataset is, in a word. */
function datasetState({ dead_partitions, running, debt_files }: Dataset) {
  if (dead_partitions > 0) return <State of="dead" />;
  if (running) return <State of="running" />;
  return <State of={debt_files > 0 ? "scheduled" : "idle"} />;
}

/** All datasets that the caller may see. */
export function Datasets() {
  const [cursor, setCursor] = useState<string | null>(null);
  const [sought, setSought] = useState("");
  const live = useLive(`/compaction/datasets?limit=100${cursor ? `&cursor=${cursor}` : ""}`, 10);
  return (
    <>
      <h1>Datasets</h1>
      <Shown live={live}>
        {({ datasets, next_cursor }: { datasets: Dataset[]; next_cursor: string | null }) => {
          const found = datasets.filter(({ id, name }) =>
            `${id} ${name}`.toLowerCase().includes(sought.toLowerCase())
          );
          if (datasets.length === 0) {
            return (
              <Empty>
                No dataset yet. The first upload under a new <code>dataset_id</code> makes one:{" "}
                <code>sediment push FOLDER --dataset UUID</code>
              </Empty>
            );
          }
          return (
            <Panel
              title={next_cursor === null && cursor === null
                ? several(datasets.length, "dataset")
                : "A page of datasets"}
              tools={
                <>
                  <input
                    type="search"
                    id="seek"
                    aria-label="Filter by name or id"
                    placeholder="Name or id"
                    value={sought}
                    onInput={(event) => setSought(event.currentTarget.value)}
                  />
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
              {found.length === 0 ? <Empty>None of them is called so.</Empty> : (
                <Table
                  label="Datasets"
                  rows={found}
                  keyOf={({ id }) => id}
                  columns={[
                    {
                      head: "Dataset",
                      cell: (d) => (
                        <a href={`#/datasets/${d.id}`} title={d.id}>{datasetText(d.name, d.id)}</a>
                      ),
                    },
                    { head: "State", cell: datasetState },
                    { head: "Rows", number: true, cell: ({ rows }) => countText(rows) },
                    { head: "Files", number: true, cell: ({ files }) => countText(files) },
                    { head: "Stored", number: true, cell: ({ bytes }) => bytesText(bytes) },
                    {
                      head: "Waiting",
                      number: true,
                      cell: ({ debt_files }) => countText(debt_files),
                    },
                    { head: "Role", cell: ({ role }) => role },
                    {
                      head: "Changed",
                      number: true,
                      cell: ({ updated_at }) => <Ago time={updated_at} />,
                    },
                  ]}
                />
              )}
            </Panel>
          );
        }}
      </Shown>
    </>
  );
}
