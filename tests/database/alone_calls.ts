/** Calls of stage_upload and commit_upload as they may come, odd ones among them, and what happens between them. */
import fc from "../support/fast_check.ts";

const nth = (n: number) => `00000000-0000-4000-8000-00000000000${n}`;
export const users = [nth(1), nth(2), nth(3)];
export const datasets = [nth(4), nth(5), nth(6)];
const hash = (n: number) => n.toString(16).repeat(64).slice(0, 64);

/** What may have become of it meanwhile: of an upload's stage, of the partition that it comes to, of its user. */
const events = [
  `select sediment.wake_partition(dataset_id, "table", period_tag, queue, 'upload', delay) from public.partitions,
    (values ('realtime', 0), ('realtime', 7200), ('scheduled', 0), ('manual', 7200)) as v(queue, delay)
    order by v.delay + $1 + last_seq, 1, 2, 3 limit 1`,
  `update public.partitions set lease_expires_at = '2099-01-01', claimed_demand_seq = demand_seq, token = token + 1,
    debt_oldest = null, tier_files = '{}', tier_oldest = '{}', due_at = null where msg_id is not null`,
  `update public.partitions set lease_expires_at = null, claimed_demand_seq = null, msg_id = null, queue = null,
    run_id = null, ready_at = null, due_at = case when $1 > 4 then now() + interval '2 hours' end`,
  `update public.partitions set ready_at = now() + interval '2 hours' * ($1 - 4) where msg_id is not null`,
  `update public.partitions set dead_since = now(), due_at = null where msg_id is null`,
  `update public.partitions set tier_files = case when $1 > 4 then '{}'::integer[] end, tier_groups = case when $1 > 6 then
    '[{"schemas": ["s1"], "files": [1], "oldest": ["2020-01-01"]}, {"files": [], "oldest": []}]'::jsonb end`,
  `update public.service_settings set realtime_delay_seconds = case when $1 > 4 then 0 else 7200 end`,
  `update public.service_settings set min_inputs = 1 + $1`,
  `insert into public.user_limits (user_id, uploads_per_minute) values ('${users[0]}', $1 + 1)
    on conflict (user_id) do update set uploads_per_minute = $1 + 20, stored_bytes_max = case when $1 > 5 then 3000 end`,
  `update public.user_limits set upload_bytes_per_day = 1000 * $1 + 1000, open_stages_max = 5 + $1`,
  `update public.user_limits set uploads_per_minute = null, upload_bytes_per_day = null, stored_bytes_max = case when $1 > 8
    then 1200000000 end, open_stages_max = null`,
  `update public.user_usage set minute_start = minute_start - interval '1 day', day_start = day_start - interval '1 day'
    where $1 > 4`,
  `update public.user_usage set asset_bytes = 300 * $1`,
  `insert into public.dataset_members (dataset_id, user_id, role, invited_by) values ('${
    datasets[0]
  }', '${users[1]}', case when $1 > 4 then 'writer' else 'reader' end, '${
    users[0]
  }') on conflict do nothing`,
  `update public.datasets set user_id = '${users[1]}' where id = '${datasets[1]}' and $1 > 6`,
  `select public.rename_table(user_id, id, 't', 'renamed') from public.datasets where id = '${
    datasets[1]
  }' and $1 > 5`,
  `select public.delete_data(user_id, id, 't', 'p2') from public.datasets where $1 > 6`,
  `select public.delete_data(user_id, id) from public.datasets where id = '${
    datasets[2]
  }' and $1 = 9`,
  `select public.delete_user('${users[0]}') where $1 = 9`,
  `update public.objects set state = 'deleting', delete_after = now() where state = 'staged' and $1 > 7`,
];

const often = <T>(usual: T, ...odd: T[]) =>
  fc.integer({ min: 0, max: 99 + odd.length }).map((n) => n < odd.length ? odd[n] : usual);
const stageCall = fc.record({
  p_user: often<string | null>(users[0], users[1], users[2], null),
  p_dataset: fc.oneof(fc.constant(datasets[0]), fc.constantFrom(...datasets)),
  p_table: often<string | null>("t", "u", "renamed", null, "ü", ""),
  p_period_tag: often<string | null>("p", "p2", "p\n", null),
  p_size: often<number | string | null>(1000, 1, 0, -1, null, 1.5, "NaN", 9e18, 1e30),
  p_content_hash: fc.oneof(
    fc.integer({ min: 0, max: 15 }).map(hash),
    often<string | null>(hash(1), "ä".repeat(32), null, ""),
  ),
  p_offsets_digest: often<string | null>("", "other", null),
  p_kind: often<string | null>("fragment", "concatenated", "direct_fragment", "odd", null),
  p_ttl_seconds: often<number | null>(7200, 0, -1, null, 3e9),
  p_max_put_seconds: often<number | null>(null, 7200, 0, -1, 2147483647),
  p_details: often<unknown>(null, { a: 1 }, "text", [1]),
  p_idempotency_key: often<string | null>(null, "key", ""),
  p_again: often<unknown>(false, true, null),
  p_own_dataset: often<unknown>(false, true),
});
const fileOf = fc.record({
  ordinal: often<unknown>(0, 1, -1, null, "0"),
  table: often<unknown>("t", "u", "renamed", null, 5, "ü"),
  period_tag: often<unknown>("p", "p2", null, "p\n"),
  start_byte: often<unknown>(0, 1, -1, null, 9e18),
  byte_length: often<unknown>(1000, 1, 999, 1001, 0, null, 40_000_000),
  row_count: often<unknown>(10, 0, -1, null, 1.5),
  row_group_count: often<unknown>(1, 0, 5, -1, 3e9),
  uncompressed_bytes: often<unknown>(2000, 0, -1, null),
  value_count: often<unknown>(20, null, -1, "many"),
  merge_facts: often<unknown>({ a: 1 }, null, [], "text"),
  schema_fingerprint: often<unknown>("s1", "s2", null, 3),
  schema: often<unknown>({ name: "ü" }, { name: "other" }, null, {}),
  stats: often<unknown>(null, { a: 1 }),
  checksum: often<unknown>(null, "0".repeat(64), "c"),
});
const commitCall = fc.record({
  p_user: often<string | null>("same", users[1], null),
  p_size: often<unknown>("same", 999, null, -1, "NaN"),
  p_etag: often<unknown>("etag", "", null, 5),
  p_content_hash: often<unknown>("same", hash(1), null),
  p_files: fc.oneof(
    { weight: 12, arbitrary: fileOf.map((file) => [file]) },
    { weight: 1, arbitrary: fc.array(fileOf, { maxLength: 2 }) },
    { weight: 1, arbitrary: fc.constantFrom<unknown>(null, {}, "text", [null], [5], [[]], [{}]) },
  ),
  p_object_size: often<unknown>(null, 1000, 999, 0, -1, 5000, 9e18),
});
/** The stage is one of those that there are, counted from the last. */
export const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(stageCall, commitCall).map((
      [stage, commit],
    ) => [{ stage }, { commit, nth: 0 }]),
  },
  { weight: 1, arbitrary: stageCall.map((stage) => [{ stage }]) },
  {
    weight: 2,
    arbitrary: fc.record({ commit: commitCall, nth: fc.constantFrom(0, 0, 0, 1, 2, 3, 99) }).map((
      one,
    ) => [one]),
  },
  {
    weight: 3,
    arbitrary: fc.record({ event: fc.constantFrom(...events), n: fc.integer({ min: 0, max: 9 }) })
      .map((one) => [one]),
  },
);

export type Call = { stage: Record<string, unknown> } | {
  commit: Record<string, unknown>;
  nth: number;
};
