/** @jsxImportSource preact */
import type { ComponentChildren } from "preact";
import type { Live } from "./live.ts";
import type { Refusal } from "./session.ts";
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
