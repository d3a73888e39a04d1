/** @jsxImportSource preact */
import { useState } from "preact/hooks";
import { useLive } from "./live.ts";
import { Act, Ago, Delete, Empty, Figure, Panel, Shown, State, Table, Trail } from "./parts.tsx";
import { type Partition, partitionHref, Redrive, whyText } from "./troubles.tsx";
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
          body={{ dataset_id: id }}
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
    </>
  );
}

interface Schemas {
  tables: {
    table: string;
    conflict: string | null;
    columns: { name: string; type?: string; logical?: string; repetition?: string }[];
    schemas?: {
      fingerprint: string;
      files: number;
      rows: number;
      schema: { children?: unknown[] };
    }[];
  }[];
}

/** A table: its periods, its columns, and how these came to be. */
export function TablePage({ id, table }: { id: string; table: string }) {
  const live = useLive(`/compaction/partitions?dataset_id=${id}&table=${table}&limit=500`);
  const schemas = useLive<Schemas>(`/battle-data/tables?dataset_id=${id}&schemas=1`, 30);
  const rewrites = useLive(`/compaction/rewrite?dataset_id=${id}`, 10);
  return (
    <>
      <Trail steps={[["Datasets", "#/datasets"], [id.slice(0, 8), `#/datasets/${id}`]]} />
      <h1>{table}</h1>
      <div class="tools">
        <Act
          label="Compact now"
          path="/compaction"
          body={{ dataset_id: id, table }}
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
        {(answer) => {
          // deno-lint-ignore no-explicit-any -- of the service
          const rewrite = answer.rewrites.find((one: any) => one.table === table);
          return rewrite !== undefined && (
            <p class="quiet">
              Asked to be written anew <Ago time={rewrite.asked_at} />:{" "}
              {several(rewrite.files, "file")} marked, {countText(rewrite.waiting)}{" "}
              still to be written
              {rewrite.left_alone > 0 && `, ${countText(rewrite.left_alone)} left as they are`}.
            </p>
          );
        }}
      </Shown>
      <Shown live={live}>
        {({ partitions }: { partitions: Partition[] }) => (
          <Panel title={several(partitions.length, "period")}>
            {partitions.length === 0
              ? <Empty>No period is in it.</Empty>
              : <PartitionTable partitions={[...partitions].reverse()} label="Periods" />}
          </Panel>
        )}
      </Shown>
      <Shown live={schemas}>
        {({ tables }) => {
          const found = tables.find((one) => one.table === table);
          return found !== undefined && (
            <Panel
              title={several(found.columns.length, "column")}
              says={found.conflict ??
                (found.schemas && found.schemas.length > 1
                  ? `of ${several(found.schemas.length, "schema")} together`
                  : "all files have the same")}
            >
              <Table
                label="Columns"
                rows={found.columns}
                keyOf={({ name }) => name}
                columns={[
                  { head: "Column", cell: ({ name }) => <code>{name}</code> },
                  { head: "Type", cell: ({ type, logical }) => logical ?? type ?? "group" },
                  {
                    head: "Nulls",
                    cell: ({ repetition }) => repetition === "required" ? "none" : "allowed",
                  },
                ]}
              />
            </Panel>
          );
        }}
      </Shown>
    </>
  );
}

function PartitionTable({ partitions, label }: { partitions: Partition[]; label: string }) {
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

interface File {
  id: number;
  level: number;
  size: number;
  row_count: number;
  row_group_count: number;
  state: string;
  quarantine_reason: string | null;
  uploaded_at: string;
  url?: string;
  error?: { message: string };
}

/** A period of a table: what was decided, its files by level, its runs. */
export function PeriodPage({ id, table, period }: { id: string; table: string; period: string }) {
  const where = `dataset_id=${id}&table=${table}&period_tag=${period}`;
  const partitions = useLive(`/compaction/partitions?dataset_id=${id}&table=${table}&limit=1000`);
  const files = useLive(`/battle-data/chunks?${where}&signed=1&limit=500`, 10);
  const runs = useLive(`/compaction/runs?${where}&limit=20`);
  return (
    <>
      <Trail
        steps={[["Datasets", "#/datasets"], [id.slice(0, 8), `#/datasets/${id}`], [
          table,
          `#/datasets/${id}/${table}`,
        ]]}
      />
      <h1>{table} / {period}</h1>
      <div class="tools">
        <Act
          label="Compact now"
          path="/compaction"
          body={{ dataset_id: id, table, period_tag: period }}
          done={() => "A run is queued"}
        />
        <Delete
          what="period"
          name={period}
          path={`/battle-data/datasets/${id}/tables/${table}/periods/${period}`}
          then={`#/datasets/${id}/${table}`}
        />
      </div>
      <Shown live={partitions}>
        {(answer: { partitions: Partition[] }) => {
          const found = answer.partitions.find(({ period_tag }) => period_tag === period);
          return found !== undefined && <Decision partition={found} />;
        }}
      </Shown>
      <Shown live={files}>
        {(answer: { files: File[] }) => <Files files={answer.files} />}
      </Shown>
      <Shown live={runs}>
        {(answer) => (
          <Panel title="Runs">
            {answer.runs.length === 0
              ? <Empty>No run is remembered: those that ended long ago are forgotten.</Empty>
              : <RunTable runs={answer.runs} />}
          </Panel>
        )}
      </Shown>
    </>
  );
}

function Decision({ partition: p }: { partition: Partition }) {
  return (
    <Panel title="How it is" tools={p.state === "dead" && <Redrive partition={p} />}>
      <dl class="figures small">
        <Figure name="State" value={<State of={p.state} />} />
        <Figure
          name="Waiting"
          value={several(p.debt_files, "file")}
          says={bytesText(p.debt_bytes)}
        />
        <Figure name="Next look" value={<Ago time={p.next_due_at} />} />
        <Figure name="Last look" value={<Ago time={p.last_considered_at} />} />
      </dl>
      {p.error !== null && <p class="why">{whyText(p)}</p>}
      {p.last_decision !== null && <p class="words">{p.last_decision}</p>}
    </Panel>
  );
}

function Files({ files }: { files: File[] }) {
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
              cell: ({ url, error, state, quarantine_reason }) =>
                error ? <span class="state bad">{error.message}</span> : (
                  <>
                    {state === "quarantined" && (
                      <span class="state bad">in quarantine: {quarantine_reason}</span>
                    )}
                    {url && <a href={url} download>Download</a>}
                  </>
                ),
            },
          ]}
        />
      )}
    </Panel>
  );
}

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
