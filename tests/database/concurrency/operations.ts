/** Every function that changes the catalog, as one statement on the world of world.sql. */

/** name → SQL that gives the function's answer. */
export const operations = {
  commit_upload_of_a_and_b: "select tests.commit_of('one')",
  commit_upload_of_b_and_a: "select tests.commit_of('two')",
  commit_upload_of_the_same_body: "select tests.commit_of('twin')",
  commit_upload_of_b: "select tests.commit_of('alone')",
  group_of_b_then_a: "select tests.group_of('alone', 'one')",
  group_of_a_then_b: "select tests.group_of('one', 'alone')",
  stage_upload: "select tests.stage(1, 100, 'fresh', 'a')",
  abandon_upload: "select abandon_upload((tests.handle('one') ->> 'stage_id')::uuid, tests.u(1))",
  request_partition:
    "select request_compaction(tests.u(1), tests.u(100), 'a', '2024-11-25', 'manual')",
  request_dataset: "select request_compaction(tests.u(1), tests.u(100))",
  claim_compaction: "select claim_compaction('other')",
  stage_output: "select stage_output(tests.run_of('a'), 0, tests.token_of('a'), 90)",
  commit_compaction:
    "select tests.commit(tests.handle('a'), tests.handle('output'), p_last => false)",
  commit_last: "select tests.commit(tests.handle('a'), tests.handle('output'))",
  commit_nothing: `select tests.commit(tests.handle('a'), null, '{}',
    p_result => '{"decision": "wait", "debt": {"files": 3, "bytes": 300}}')`,
  commit_more: `select tests.commit(tests.handle('a'), tests.handle('output'),
    p_result => '{"more": true}')`,
  renew_lease: "select renew_lease(tests.run_of('a'), tests.token_of('a'), 300)",
  renew_late: "select renew_lease(tests.run_of('late'), tests.token_of('late'), 300)",
  record_step: "select record_step(tests.run_of('a'), tests.token_of('a'), 'merge', '{}', '{}')",
  quarantine_file: `select quarantine_file(tests.run_of('a'), tests.token_of('a'),
    (tests.ids(tests.handle('a')))[1], 'invalid_parquet', 'bad')`,
  set_apart:
    `select set_apart(tests.run_of('a'), tests.token_of('a'), (select jsonb_agg(jsonb_build_object(
    'id', f.id, 'object_key', f.object_key, 'kind', 'values', 'reason', 'it does not fit')) from battle_files f
    where f.id = (tests.ids(tests.handle('a')))[1]), 4)`,
  fail_for_now:
    `select fail_compaction(tests.run_of('a'), tests.token_of('a'), 'store_failed', 'no',
    'merge', false)`,
  fail_for_good: `select fail_compaction(tests.run_of('a'), tests.token_of('a'), 'internal', 'no',
    'merge', true)`,
  fail_late: `select fail_compaction(tests.run_of('late'), tests.token_of('late'), 'store_failed',
    'no', 'merge', false)`,
  expire_leases: "select expire_leases()",
  sweep: "select sweep()",
  prune_history: "select prune_history()",
  trigger_scheduled: "select trigger_scheduled()",
  redrive_dead_letters: "select redrive_dead_letters(tests.u(1))",
  drain_dead_letters: "select drain_dead_letters()",
  retry_quarantined: "select retry_quarantined(tests.u(1), tests.u(100))",
  plan_vacuum: "select plan_vacuum()",
  commit_vacuum: `select commit_vacuum(array(
    select jsonb_array_elements_text(tests.handle('old'))))`,
} as const;

export type Operation = keyof typeof operations;

/** What a connection may hold while two operations begin, each of which then waits in the middle. */
export const barriers = {
  partition_a: `select 1 from partitions where "table" = 'a' for no key update`,
  partition_b: `select 1 from partitions where "table" = 'b' for no key update`,
  dataset: "select 1 from datasets for no key update",
  message_a: `select 1 from pgmq.q_compaction_realtime m join partitions p on p.msg_id = m.msg_id
    where p."table" = 'a' for update of m`,
  message_b: `select 1 from pgmq.q_compaction_realtime m join partitions p on p.msg_id = m.msg_id
    where p."table" = 'b' for update of m`,
  objects: "select 1 from objects order by object_key for update",
} as const;
