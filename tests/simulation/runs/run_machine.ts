/**
 * The life of a run as states × events: what each call on its partition makes of it, and what the caller is
 * told. SPEC.md shows the same table; tests/simulation/runs/run_machine_test.ts drives every cell against the SQL.
 */

/** Where a run is. */
export type RunState =
  /** Has its partition's live message, which is due; nobody holds a lease. */
  | "queued"
  /** The same, but the message is hidden until the back-off ends. */
  | "backing_off"
  /** Stands behind the partition's running one: demand that came after that one had read its files. */
  | "waiting"
  /** A worker holds the lease and the newest token. */
  | "running"
  /** The lease has run out and nobody has taken it back yet: the token is still the newest. */
  | "expired"
  /** Ended well. */
  | "success"
  /** Ended in the dead letters. */
  | "dead";

/** What happens on the run's partition. Calls with a token are those of the worker that claimed last. */
export type RunEvent =
  | "upload"
  | "request"
  | "claim"
  /** A commit of an output that is not the last. */
  | "commit"
  /** The last commit, with an output. */
  | "commit_last"
  /** The last commit, of nothing. */
  | "commit_nothing"
  /** The last commit of a turn, not of the run. */
  | "commit_more"
  /** A commit that was made before, made again. */
  | "replay"
  /** A commit by a token that is not the newest. */
  | "stale_commit"
  | "renew"
  | "record"
  | "quarantine"
  /** A failure that may pass, with attempts left. */
  | "fail"
  /** A failure that stays, or the last attempt. */
  | "fail_for_good"
  /** What it stands on failed, or its turn was stopped: the attempt is given back. */
  | "give_back"
  | "expire"
  | "sweep"
  /** The sweep, when the partition is due: of a dead one the look that doubles to a day. */
  | "look_again"
  | "redrive"
  /** All data of the partition is deleted, and the deletion carried out. */
  | "delete";

/** What the caller is told: its answer, or the code of the error. */
export type Told = "ok" | "claimed" | "busy" | "empty" | "lease_lost" | "run_finished";

/** The state after the event, and what the caller is told. */
export type Cell = readonly [RunState, Told];

/** Every cell; the type leaves none out. */
export const runMachine: Record<RunState, Record<RunEvent, Cell>> = {
  queued: {
    upload: ["queued", "ok"],
    request: ["queued", "ok"],
    claim: ["running", "claimed"],
    commit: ["queued", "lease_lost"],
    commit_last: ["queued", "lease_lost"],
    commit_nothing: ["queued", "lease_lost"],
    commit_more: ["queued", "lease_lost"],
    replay: ["queued", "ok"],
    stale_commit: ["queued", "lease_lost"],
    renew: ["queued", "lease_lost"],
    record: ["queued", "lease_lost"],
    quarantine: ["queued", "lease_lost"],
    fail: ["queued", "lease_lost"],
    fail_for_good: ["queued", "lease_lost"],
    give_back: ["queued", "lease_lost"],
    expire: ["queued", "ok"],
    sweep: ["queued", "ok"],
    look_again: ["queued", "ok"],
    redrive: ["queued", "ok"],
    delete: ["success", "ok"],
  },
  backing_off: {
    upload: ["backing_off", "ok"],
    request: ["queued", "ok"],
    claim: ["backing_off", "empty"],
    commit: ["backing_off", "lease_lost"],
    commit_last: ["backing_off", "lease_lost"],
    commit_nothing: ["backing_off", "lease_lost"],
    commit_more: ["backing_off", "lease_lost"],
    replay: ["backing_off", "ok"],
    stale_commit: ["backing_off", "lease_lost"],
    renew: ["backing_off", "lease_lost"],
    record: ["backing_off", "lease_lost"],
    quarantine: ["backing_off", "lease_lost"],
    fail: ["backing_off", "lease_lost"],
    fail_for_good: ["backing_off", "lease_lost"],
    give_back: ["backing_off", "lease_lost"],
    expire: ["backing_off", "ok"],
    sweep: ["backing_off", "ok"],
    look_again: ["backing_off", "ok"],
    redrive: ["backing_off", "ok"],
    delete: ["success", "ok"],
  },
  waiting: {
    upload: ["waiting", "ok"],
    request: ["waiting", "ok"],
    claim: ["waiting", "empty"],
    commit: ["waiting", "ok"],
    commit_last: ["queued", "ok"],
    commit_nothing: ["queued", "ok"],
    commit_more: ["waiting", "ok"],
    replay: ["waiting", "ok"],
    stale_commit: ["waiting", "lease_lost"],
    renew: ["waiting", "ok"],
    record: ["waiting", "ok"],
    quarantine: ["waiting", "ok"],
    fail: ["waiting", "ok"],
    fail_for_good: ["queued", "ok"],
    give_back: ["waiting", "ok"],
    expire: ["waiting", "ok"],
    sweep: ["waiting", "ok"],
    look_again: ["waiting", "ok"],
    redrive: ["waiting", "ok"],
    delete: ["success", "ok"],
  },
  running: {
    upload: ["running", "ok"],
    request: ["running", "ok"],
    claim: ["running", "empty"],
    commit: ["running", "ok"],
    commit_last: ["success", "ok"],
    commit_nothing: ["success", "ok"],
    commit_more: ["queued", "ok"],
    replay: ["running", "ok"],
    stale_commit: ["running", "lease_lost"],
    renew: ["running", "ok"],
    record: ["running", "ok"],
    quarantine: ["running", "ok"],
    fail: ["backing_off", "ok"],
    fail_for_good: ["dead", "ok"],
    give_back: ["backing_off", "ok"],
    expire: ["running", "ok"],
    sweep: ["running", "ok"],
    look_again: ["running", "ok"],
    redrive: ["running", "ok"],
    delete: ["success", "ok"],
  },
  expired: {
    upload: ["expired", "ok"],
    request: ["expired", "ok"],
    claim: ["backing_off", "busy"],
    commit: ["running", "ok"],
    commit_last: ["success", "ok"],
    commit_nothing: ["success", "ok"],
    commit_more: ["queued", "ok"],
    replay: ["expired", "ok"],
    stale_commit: ["expired", "lease_lost"],
    renew: ["running", "ok"],
    record: ["expired", "ok"],
    quarantine: ["expired", "ok"],
    fail: ["backing_off", "ok"],
    fail_for_good: ["dead", "ok"],
    give_back: ["backing_off", "ok"],
    expire: ["backing_off", "ok"],
    sweep: ["expired", "ok"],
    look_again: ["expired", "ok"],
    redrive: ["expired", "ok"],
    delete: ["success", "ok"],
  },
  success: {
    upload: ["success", "ok"],
    request: ["success", "ok"],
    claim: ["success", "empty"],
    commit: ["success", "run_finished"],
    commit_last: ["success", "run_finished"],
    commit_nothing: ["success", "run_finished"],
    commit_more: ["success", "run_finished"],
    replay: ["success", "ok"],
    stale_commit: ["success", "run_finished"],
    renew: ["success", "run_finished"],
    record: ["success", "run_finished"],
    quarantine: ["success", "run_finished"],
    fail: ["success", "run_finished"],
    fail_for_good: ["success", "run_finished"],
    give_back: ["success", "run_finished"],
    expire: ["success", "ok"],
    sweep: ["success", "ok"],
    look_again: ["success", "ok"],
    redrive: ["success", "ok"],
    delete: ["success", "ok"],
  },
  dead: {
    upload: ["dead", "ok"],
    request: ["dead", "ok"],
    claim: ["dead", "empty"],
    commit: ["dead", "run_finished"],
    commit_last: ["dead", "run_finished"],
    commit_nothing: ["dead", "run_finished"],
    commit_more: ["dead", "run_finished"],
    replay: ["dead", "ok"],
    stale_commit: ["dead", "run_finished"],
    renew: ["dead", "run_finished"],
    record: ["dead", "run_finished"],
    quarantine: ["dead", "run_finished"],
    fail: ["dead", "run_finished"],
    fail_for_good: ["dead", "run_finished"],
    give_back: ["dead", "run_finished"],
    expire: ["dead", "ok"],
    sweep: ["dead", "ok"],
    look_again: ["queued", "ok"],
    redrive: ["dead", "ok"],
    delete: ["dead", "ok"],
  },
};

/** The table as SPEC.md shows it: a row an event, a column a state; a dot where nothing changes. */
export function machineAsMarkdown(): string {
  const states = Object.keys(runMachine) as RunState[];
  const events = Object.keys(runMachine.queued) as RunEvent[];
  const row = (cells: string[]) => `| ${cells.join(" | ")} |`;
  const shown = (from: RunState, [to, told]: Cell) =>
    [to === from ? "·" : `→ ${to}`, ...(told === "ok" ? [] : [told])].join(" ");
  return [
    row(["", ...states]),
    row(["---", ...states.map(() => "---")]),
    ...events.map((event) =>
      row([event, ...states.map((state) => shown(state, runMachine[state][event]))])
    ),
  ].join("\n");
}
