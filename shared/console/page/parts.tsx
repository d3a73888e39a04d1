/** @jsxImportSource preact */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Live } from "./live.ts";
import { tellChange } from "./live.ts";
import { call, Refusal } from "./session.ts";
import { agoText, states, timeText } from "./words.ts";

/** A state's word, with a dot whose colour says the same. */
export function State({ of }: { of: string }) {
  const [word, tone] = states[of] ?? [of, "calm"];
  return <span class={`state ${tone}`}>{word}</span>;
}

/** A moment as time ago; the moment itself on hovering. */
export function Ago({ time }: { time: string | null | undefined }) {
  return time ? <time dateTime={time} title={timeText(time)}>{agoText(time)}</time> : <>–</>;
}

/** A part of a page with its heading. */
export function Panel(
  { title, says, tools, children }: {
    title: string;
    says?: ComponentChildren;
    tools?: ComponentChildren;
    children: ComponentChildren;
  },
) {
  return (
    <section class="panel">
      <header>
        <div>
          <h2>{title}</h2>
          {says && <p class="quiet">{says}</p>}
        </div>
        {tools && <div class="tools">{tools}</div>}
      </header>
      {children}
    </section>
  );
}

/** A column of a {@link Table}. */
export interface Column<T> {
  head: string;
  cell: (row: T) => ComponentChildren;
  /** Figures stand to the right, under each other. */
  number?: boolean;
}

/** Rows in columns; on a narrow page each row is a card. */
export function Table<T>(
  { label, columns, rows, keyOf }: {
    label: string;
    columns: Column<T>[];
    rows: T[];
    keyOf: (row: T) => string;
  },
) {
  // the roles are said since CSS takes them away where rows are shown as cards
  return (
    <table role="table" aria-label={label}>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map(({ head, number }) => (
            <th role="columnheader" scope="col" class={number ? "number" : ""}>{head}</th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr role="row" key={keyOf(row)}>
            {columns.map(({ head, cell, number }) => (
              <td role="cell" class={number ? "number" : ""} data-head={head}>{cell(row)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What a live answer shows while there is none, when it failed, and else. */
export function Shown<T>(
  { live, children }: { live: Live<T>; children: (value: T) => ComponentChildren },
) {
  const { value, failure, at, again } = live;
  if (value === undefined && failure === undefined) {
    return (
      <div class="loading" role="status" aria-label="Loading">
        <i />
        <i />
        <i />
      </div>
    );
  }
  return (
    <>
      {failure && (
        <div class="failure" role="alert">
          <p>
            <strong>{failureTitle(failure)}</strong> {failure.message}
            {value !== undefined && at !== undefined &&
              ` – shown is what was there ${agoText(new Date(at).toISOString())}.`}
          </p>
          <button type="button" onClick={again}>Try again</button>
        </div>
      )}
      {value !== undefined && children(value)}
    </>
  );
}

function failureTitle({ status, code }: Refusal): string {
  if (code === "unreachable") return "No answer.";
  if (status === 401) return "Not signed in any more.";
  if (status === 403) return "Not yours to see.";
  if (status === 404 || status === 410) return "Not there.";
  return status >= 500 ? "The service failed." : "Not understood.";
}

/** Where nothing is. */
export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

let say: (text: string, bad?: boolean) => void = () => {};

/** Tells how something that was asked for went. */
export const tell = (text: string, bad = false): void => say(text, bad);

/** Where {@link tell} is heard: one line, read out. */
export function Told() {
  const [told, setTold] = useState<{ text: string; bad: boolean } | null>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    say = (text, bad = false) => {
      clearTimeout(timer);
      setTold({ text, bad });
      timer = setTimeout(() => setTold(null), bad ? 15_000 : 6_000);
    };
    return () => clearTimeout(timer);
  }, []);
  return (
    <div class="told" role="status" aria-live="polite">
      {told && <p class={told.bad ? "bad" : ""}>{told.text}</p>}
    </div>
  );
}

/** A button that asks the service for something, and says how that went. */
export function Act(
  { label, method = "POST", path, body, done, quiet = false }: {
    label: string;
    method?: string;
    path: string;
    body?: unknown;
    /** What to say then. */
    // deno-lint-ignore no-explicit-any -- the answer of whichever route
    done: (answer: any) => string;
    quiet?: boolean;
  },
) {
  const [busy, setBusy] = useState(false);
  const act = async () => {
    setBusy(true);
    try {
      const answer = await call(method, path, body);
      tell(done(answer.body));
      tellChange();
    } catch (thrown) {
      tell((thrown as Error).message, true);
    } finally {
      setBusy(false);
    }
  };
  return (
    <button
      type="button"
      class={quiet ? "quiet-button" : "main-button"}
      disabled={busy}
      onClick={act}
    >
      {busy ? "Asking…" : label}
    </button>
  );
}

/** A deletion: done when its name was typed. */
export function Delete(
  { what, name, path, then }: { what: string; name: string; path: string; then: string },
) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState("");
  const submit = async (event: JSX.TargetedEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (typed !== name) return;
    try {
      await call("DELETE", path);
      dialog.current!.close();
      tell(`${what} ${name} is deleted: versions of before show it for the retention.`);
      tellChange();
      location.hash = then;
    } catch (thrown) {
      tell((thrown as Error).message, true);
    }
  };
  return (
    <>
      <button type="button" class="quiet-button danger" onClick={() => dialog.current!.showModal()}>
        Delete…
      </button>
      <dialog ref={dialog} aria-label={`Delete ${what} ${name}`} onClose={() => setTyped("")}>
        <form onSubmit={submit}>
          <h2>Delete {what} {name}?</h2>
          <p>
            Its rows leave every list at once. To go on, type <code>{name}</code>.
          </p>
          <label>
            Name
            <input
              value={typed}
              onInput={(event) => setTyped(event.currentTarget.value)}
              autocomplete="off"
            />
          </label>
          <div class="tools">
            <button type="button" class="quiet-button" onClick={() => dialog.current!.close()}>
              Keep it
            </button>
            <button type="submit" class="main-button danger" disabled={typed !== name}>
              Delete
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}

/** The way to where one is. */
export function Trail({ steps }: { steps: [text: string, href: string][] }) {
  return (
    <nav class="trail" aria-label="Way here">
      {steps.map(([text, href]) => <a key={href} href={href}>{text}</a>)}
    </nav>
  );
}

/** A figure with its name. */
export function Figure(
  { name, value, says }: { name: string; value: ComponentChildren; says?: ComponentChildren },
) {
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd>{value}{says && <small>{says}</small>}</dd>
    </div>
  );
}
