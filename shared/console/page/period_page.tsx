/** @jsxImportSource preact */
import { Act } from "./act.tsx";
import { Delete } from "./delete.tsx";
import { type File, Files } from "./files.tsx";
import { FirstRows } from "./first_rows.tsx";
import { useLive } from "./live.ts";
import { type Partition, Redrive, whyText } from "./partitions.tsx";
import { Ago, Empty, Figure, Panel, Shown, State, Trail } from "./parts.tsx";
import { RunTable } from "./run_table.tsx";
import { bytesText, several } from "./words.ts";

/** A period of a table: what was decided, its files by level, its runs. */
export function PeriodPage({ id, table, period }: { id: string; table: string; period: string }) {
  const where = `dataset_id=${id}&table=${table}&period_tag=${period}`;
  const partitions = useLive<{ partitions: Partition[] }>(
    `/compaction/partitions?${where}&limit=1`,
  );
  const files = useLive(`/battle-data/chunks?${where}&limit=500`, 10);
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
          body={{ dataset_id: id, table, period_tag: period, priority: "manual" }}
          done={() => "A run is queued"}
        />
        <Act
          quiet
          label="Write anew by its settings"
          path="/compaction/rewrite"
          body={{ dataset_id: id, table, period_tag: period }}
          done={() => `${table} / ${period} is written anew, over time`}
        />
        <Delete
          what="period"
          name={period}
          path={`/battle-data/datasets/${id}/tables/${table}/periods/${period}`}
          then={`#/datasets/${id}/${table}`}
        />
      </div>
      <Shown live={partitions}>
        {({ partitions: [found] }) => found && <Decision partition={found} />}
      </Shown>
      <Shown live={files}>
        {(answer: { files: File[] }) => <Files files={answer.files} />}
      </Shown>
      <FirstRows datasetId={id} table={table} period={period} />
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
