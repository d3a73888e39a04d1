import { several } from "./words.ts";

/** What mends a trouble: in words, and by a button where one does. */
export interface Mend {
  says: string;
  /** The view that mends it, and what the way there is called. */
  to?: { view: string; label: string };
  /** A POST that mends it, and what is said then. */
  press?: {
    label: string;
    path: string;
    // deno-lint-ignore no-explicit-any -- the answer of whichever route
    done: (answer: any) => string;
  };
}

/** A turn of a worker, for once without a ping. */
const work: Mend["press"] = {
  label: "Work now",
  path: "/compactor",
  done: ({ runs = [] }) =>
    runs.length === 0 ? "Nothing was due" : `${several(runs.length, "run")} went through`,
};

/**
 * What mends a trouble, by the name of the health's reason or the incident: the runbook's line of docs/operations.md, in
 * short, and the button: to the view that mends it, or what a press asks the service for. A test compares the names.
 */
export const mends: Record<string, Mend> = {
  breaker_open: {
    says:
      "Mend what fails; a probe goes through by itself then, and work goes on. Nothing is lost.",
  },
  work_waits: {
    says:
      "No worker comes: deno task doctor says why. Until that is mended, one can be called by hand.",
    press: work,
  },
  pings_refused: {
    says: "The Vault's cron key is no key of the project any more: put the new one there.",
    press: work,
  },
  schema_outdated: { says: "The functions are newer than the schema: supabase db push." },
  jobs_missing: {
    says:
      "A migration that schedules jobs did not go through: supabase db push, then deno task doctor.",
  },
  jobs_failing: {
    says: "select * from cron.job_run_details order by start_time desc limit 20 says why.",
  },
  leases_overdue: {
    says: "pg_cron stands still: Database → Extensions, or the project was paused.",
  },
  debt_overdue: {
    says: "pg_cron stands still: Database → Extensions, or the project was paused.",
  },
  read_only: {
    says: "The disk is full: make it larger, or delete data. Uploads wait with their clients.",
  },
  wasm_missing: { says: "A wasm module is not in the store: deno task deploy:wasm." },
  catalog_failed: { says: "The database is down, or its URL or key is wrong." },
  quarantine: {
    says: "Files that can be read may stay; what was our fault is tried again.",
    to: { view: "trouble", label: "Look at them" },
  },
  lag_over: {
    says: "Workers are too few or too slow: raise max_workers. A burst passes by itself.",
    to: { view: "settings/max_workers", label: "Raise max_workers" },
  },
  deletions_overdue: {
    says:
      "The job that deletes stands still, or the store refuses: look for failing jobs and the store's right to delete.",
    press: {
      label: "Delete now",
      path: "/compactor/vacuum",
      done: ({ unfinished }) =>
        unfinished ? "Some is deleted; another one goes on" : "What was due is deleted",
    },
  },
  quota_near: {
    says: "Raise stored_bytes_max of these users, or have them delete.",
    to: { view: "settings", label: "Their limits" },
  },
  lake_late: {
    says:
      "The job sediment_lake stands still or fails; select sediment.publish_lake() says what comes of it.",
  },
  store_findings: {
    says: "select * from store_differences says what differs; most of it heals by itself.",
    press: {
      label: "Check again",
      path: "/compactor/check",
      done: () => "The store was looked at again",
    },
  },
  clockwork_gap: { says: "It is over: the project was paused or restarted." },
};
