/**
 * What mends a trouble, by the name of the health's reason or the incident: the runbook's line of docs/operations.md, in
 * short. A test compares the names.
 */
export const mends: Record<string, { says: string; view?: string; label?: string }> = {
  breaker_open: {
    says:
      "Mend what fails; a probe goes through by itself then, and work goes on. Nothing is lost.",
  },
  work_waits: { says: "Look whether the functions run and are deployed: deno task doctor." },
  pings_refused: {
    says: "The Vault's cron key is no key of the project any more: put the new one there.",
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
    view: "trouble",
    label: "Look at them",
  },
  lag_over: {
    says: "Workers are too few or too slow: raise max_workers. A burst passes by itself.",
    view: "settings",
    label: "Settings",
  },
  deletions_overdue: {
    says:
      "The job that deletes stands still, or the store refuses: look for failing jobs and the store's right to delete.",
  },
  quota_near: {
    says: "Raise stored_bytes_max of these users, or have them delete.",
    view: "settings",
    label: "Limits",
  },
  lake_late: {
    says:
      "The job sediment_lake stands still or fails; select sediment.publish_lake() says what comes of it.",
  },
  store_findings: {
    says: "select * from store_differences says what differs; most of it heals by itself.",
  },
  clockwork_gap: { says: "It is over: the project was paused or restarted." },
};
