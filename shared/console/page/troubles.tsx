/** @jsxImportSource preact */
import type { ComponentChildren } from "preact";
import { Act } from "./act.tsx";
import { mends } from "./mends.ts";
import { Ago } from "./parts.tsx";
import { several } from "./words.ts";

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
  const told = new Set(reasons.map(({ code }) => nameOf(code)));
  const others = overview.incidents.filter(({ name }) => !told.has(nameOf(name)));
  const { dead_partitions: dead, quarantined_files: bad, left_alone_files: alone, warnings } =
    overview;
  const fine = reasons.length + others.length + dead + bad + alone + warnings === 0;
  if (fine) return <p class="fine">All is well. What is uploaded is merged as it comes.</p>;
  return (
    <ul class="troubles">
      {reasons.map(({ code, detail }) => (
        <Trouble tone="bad" title={detail ?? code} act={buttonOf(code)}>
          {mends[nameOf(code)]?.says}
        </Trouble>
      ))}
      {others.map(({ name, summary, opened_at }) => (
        <Trouble tone="bad" title={summary} act={buttonOf(name)}>
          since <Ago time={opened_at} />. {mends[nameOf(name)]?.says}
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

/** The name of a trouble: the breaker's reason and its incident have two. */
const nameOf = (name: string) => name === "breaker" ? "breaker_open" : name;

/** The button that mends something, where one does. */
function buttonOf(name: string) {
  const { to, press } = mends[nameOf(name)] ?? {};
  if (press !== undefined) return <Act {...press} />;
  return to && <a class="quiet-button" href={`#/${to.view}`}>{to.label}</a>;
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
