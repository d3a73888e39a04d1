/** @jsxImportSource preact */
import type { ComponentChildren } from "preact";
import { Act, Ago, State } from "./parts.tsx";
import { datasetText, several } from "./words.ts";

/** What mends a reason of a failing health; more in docs/operations.md. */
const mends: Record<string, string> = {
  breaker_open:
    "Mend what fails; a probe goes through by itself then, and work goes on. Nothing is lost.",
  work_waits: "Look whether the functions run and max_workers is above 0: deno task doctor.",
  pings_refused: "The Vault's cron key is no key of the project any more: put the new one there.",
  schema_outdated: "The functions are newer than the schema: supabase db push.",
  jobs_missing:
    "A migration that schedules jobs did not go through: supabase db push, then deno task doctor.",
  jobs_failing: "select * from cron.job_run_details order by start_time desc limit 20 says why.",
  leases_overdue: "pg_cron stands still: Database → Extensions, or the project was paused.",
  debt_overdue: "pg_cron stands still: Database → Extensions, or the project was paused.",
  read_only: "The disk is full: make it larger, or delete data. Uploads wait with their clients.",
};

interface Overview {
  health: { ok: boolean; reasons: { code: string; detail: string | null }[] } | null;
  incidents: { name: string; opened_at: string; summary: string }[];
  dead_partitions: number;
  quarantined_files: number;
  left_alone_files: number;
  warnings: number;
}

/** What is wrong now, in words, with what mends it. */
export function Troubles({ overview, stuck }: { overview: Overview; stuck?: ComponentChildren }) {
  const reasons = overview.health?.reasons ?? [];
  const told = new Set(reasons.map(({ code }) => code));
  const others = overview.incidents.filter(({ name }) => !told.has(name));
  const { dead_partitions: dead, quarantined_files: bad, left_alone_files: alone, warnings } =
    overview;
  const fine = reasons.length + others.length + dead + bad + alone + warnings === 0;
  if (fine) return <p class="fine">All is well. What is uploaded is merged as it comes.</p>;
  return (
    <ul class="troubles">
      {reasons.map(({ code, detail }) => (
        <Trouble tone="bad" title={detail ?? code}>{mends[code] ?? ""}</Trouble>
      ))}
      {others.map(({ summary, opened_at }) => (
        <Trouble tone="bad" title={summary}>
          since <Ago time={opened_at} />
        </Trouble>
      ))}
      {dead > 0 && (
        <Trouble
          tone="bad"
          title={dead === 1
            ? "1 partition is stuck: its run was given up"
            : `${several(dead, "partition")} are stuck: their runs were given up`}
          act={dead > 1 && (
            <Act
              label="Redrive all"
              path="/compaction/dlq/redrive"
              body={{ limit: 1000 }}
              done={(answer) => `${several(answer.redriven.length, "run")} asked for`}
            />
          )}
          below={stuck}
        >
          What was uploaded stays listed and readable, in small files. Mend the cause, then give it
          another run.
        </Trouble>
      )}
      {bad > 0 && (
        <Trouble
          tone="wait"
          title={`${several(bad, "file is", "files are")} in quarantine`}
          act={
            <a class="quiet-button" href="#/trouble">{bad === 1 ? "Look at it" : "Look at them"}</a>
          }
        >
          A merge could not take what is in there. It stays listed, marked as such; the rest goes
          on.
        </Trouble>
      )}
      {alone > 0 && (
        <Trouble
          tone="calm"
          title={several(alone, "file stays as it is", "files stay as they are")}
        >
          Merging would cost more than a turn may; the partition's last decision says why.
        </Trouble>
      )}
      {warnings > 0 && (
        <Trouble
          tone="wait"
          title={`${several(warnings, "setting is", "settings are")} hardly meant`}
          act={
            <a class="quiet-button" href="#/settings">
              {warnings === 1 ? "Look at it" : "Look at them"}
            </a>
          }
        />
      )}
    </ul>
  );
}

function Trouble(
  { tone, title, act, below, children }: {
    tone: string;
    title: string;
    act?: ComponentChildren;
    below?: ComponentChildren;
    children?: ComponentChildren;
  },
) {
  return (
    <li class={tone}>
      <div>
        <strong>{title}</strong>
        {children && <p>{children}</p>}
      </div>
      {act}
      {below && <div class="below">{below}</div>}
    </li>
  );
}

/** A partition as the service tells of it. */
export interface Partition {
  dataset_id: string;
  dataset_name: string;
  table: string;
  period_tag: string;
  state: string;
  debt_files: number;
  debt_bytes: number;
  next_due_at: string | null;
  run_id: string | null;
  last_decision: string | null;
  last_considered_at: string | null;
  dead_since: string | null;
  left_alone_files: number;
  error: {
    letter_id: number;
    code: string;
    message: string | null;
    step: string | null;
    attempts: number;
    failed_at: string | null;
  } | null;
}

/** The page of a partition. */
export const partitionHref = (
  p: { dataset_id: string; table: string; period_tag: string },
): string => `#/datasets/${p.dataset_id}/${p.table}/${p.period_tag}`;

/** Stuck partitions, each with why and the button that gives it another run. */
export function StuckPartitions({ partitions }: { partitions: Partition[] }) {
  return (
    <ul class="stuck" aria-label="Stuck partitions">
      {partitions.map((partition) => (
        <li key={partitionHref(partition)}>
          <div>
            <a href={partitionHref(partition)}>
              {datasetText(partition.dataset_name, partition.dataset_id)} / {partition.table} /{" "}
              {partition.period_tag}
            </a>{" "}
            <State of={partition.state} />{" "}
            <span class="quiet">
              since <Ago time={partition.dead_since} />
            </span>
            <p>{whyText(partition)}</p>
          </div>
          <Redrive partition={partition} />
        </li>
      ))}
    </ul>
  );
}

/** Why a partition is stuck, in words. */
export function whyText({ error, last_decision }: Partition): string {
  if (error === null) return last_decision ?? "Its run was given up.";
  const step = error.step === null ? "" : ` in the step ${error.step}`;
  return `${error.message ?? error.code} (${error.code}${step}, after ${
    several(error.attempts, "attempt")
  })`;
}

/** Gives a stuck partition another run. */
export function Redrive({ partition }: { partition: Partition }) {
  if (partition.error === null) return null;
  return (
    <Act
      label="Redrive"
      path="/compaction/dlq/redrive"
      body={{ ids: [partition.error.letter_id] }}
      done={(answer) =>
        answer.redriven.length > 0
          ? `${partition.table} / ${partition.period_tag} gets another run`
          : `Not redriven: ${answer.skipped[0]?.reason ?? "it is open no more"}`}
    />
  );
}
