/** What a tenant's reads cost where others have a hundred thousand rows of each kind. */
import { strict as assert } from "node:assert";
import type { Sql } from "postgres";
import { startCluster, withClient } from "./cluster.ts";

const rows = 100_000;
const mine = "01a00000-0000-7000-8000-000000000001";
const reader = "01a00000-0000-7000-8000-000000000002";

/** Rows of a thousand other users, each of whom shares a hundred datasets; three of a user's own, and who reads them. */
const fill = `
  set session_replication_role = replica;
  create temp table who as
    select n, md5('d' || n)::uuid as dataset, case n when 0 then '${mine}'::uuid else md5('u' || n)::uuid end as owner
    from generate_series(0, 1000) n;
  insert into datasets (id, user_id) select dataset, owner from who;
  insert into partitions (dataset_id, "table", period_tag) select dataset, 't', 'p' from who;
  insert into partitions (dataset_id, "table", period_tag, debt_files, debt_bytes, debt_oldest, dead_since,
    queue, msg_id, run_id, ready_at, lease_expires_at, claimed_demand_seq)
  select dataset, 't' || i, 'p', 1, 1, now(), case i when 1 then now() end, case i when 2 then 'manual' end,
    case i when 2 then n end, case i when 2 then gen_random_uuid() end, case i when 2 then now() end,
    case i when 2 then now() + interval '1 hour' end, case i when 2 then 1 end
  from who, generate_series(1, 20) i where n > 0;
  create temp table each_row as
    select i, w.dataset, w.owner from generate_series(-2, ${rows}) i
    join who w on w.n = case when i <= 0 then 0 else 1 + i % 1000 end;
  insert into battle_files (id, dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte, byte_length,
    level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes, schema_fingerprint, added_version,
    uploaded_by, uploaded_at, state, quarantined_at)
  select i + 10, dataset, 't', 'p', gen_random_uuid(), 0, 'k' || i || '.parquet', 0, 100, 0, i, i, 1, 1, 100, 'x', 0, owner, now(),
    case when i > 0 and i % 10 = 0 then 'quarantined' else 'active' end, case when i > 0 and i % 10 = 0 then now() end
  from each_row;
  insert into uploads (id, dataset_id, "table", period_tag, content_hash, offsets_digest, user_id, object_key, size)
  select gen_random_uuid(), dataset, 't', 'p', md5(i::text), '', owner, 'k' || i || '.parquet', 1 from each_row;
  insert into processing_metrics (user_id, dataset_id, "table", period_tag, operation, trigger, priority, status,
    completed_at)
  select owner, dataset, 't', 'p', 'compaction', 'upload', 'realtime', 'success', now() from each_row;
  insert into dead_letters (id, user_id, dataset_id, "table", period_tag, queue, error_code, first_failed_at,
    last_failed_at)
  select i + 10, owner, dataset, 't', 'p', 'realtime', 'x', now(), now() from each_row;
  insert into dataset_members (dataset_id, user_id, role)
  select w.dataset, md5('u' || 1 + (w.n + i) % 1000)::uuid, 'writer' from who w, generate_series(0, 99) i where w.n > 0;
  insert into dataset_members (dataset_id, user_id, role) values (md5('d0')::uuid, '${reader}', 'reader');
  insert into lake_tables (name, dataset_column, period_column) values ('t', 'dataset_id', 'period_tag');
  insert into lake_snapshots (id, at, schema_version, next_file_id) values (1, now(), 1, 1000000);
  insert into lake_relations (lake_table_id, name, begin_snapshot, after_file) select id, 't', 1, null from lake_tables;
  create temp table lake as select id as relation from lake_relations;
  insert into lake_columns (relation_id, column_id, path, name, type, begin_snapshot, iceberg_type)
  select relation, c, array['c' || c], 'c' || c, 'varchar', 1, 'string' from lake, generate_series(1, 3) c;
  insert into lake_schemas (relation_id, schema_digest, mapping_id, fields, iceberg_columns)
  select relation, 's' || n, 1 + n, 3, 1 from lake, generate_series(0, 10000) n;
  insert into lake_mapping_fields (mapping_id, field, name, column_id)
  select 1 + n, c, 'c' || c, c from generate_series(0, 10000) n, generate_series(1, 3) c;
  insert into lake_files (id, relation_id, battle_file, begin_snapshot, dataset_id, period_tag, object_key, bytes, row_count,
    row_id_start, mapping_id)
  select i + 10, relation, i + 10, 1, dataset, 'p', 'k' || i || '.parquet', 1, 1, i + 10, 1 + case when i > 0 then i % 10001 else 0 end
  from lake, each_row;
  insert into lake_statistics (file_id, relation_id, column_id, null_count, min_value, max_value)
  select i + 10, relation, 3, 0, 'a', 'b' from lake, each_row;
  insert into lake_left_files (battle_file, relation_id, dataset_id, reason)
  select i + 1000000, relation, dataset, 'x' from lake, each_row;
  set session_replication_role = origin;`;

/** Rows that a statement reads, whatever it gives, and by which scans. */
async function readBy(sql: Sql, role: string, statement: string, user = mine) {
  return await sql.begin(async (sql) => {
    await sql.unsafe(`set local role ${role}`);
    await sql.unsafe(
      `select set_config('request.jwt.claims', '{"sub":"${user}","role":"authenticated"}', true)`,
    );
    const rowsSoFar = async () => {
      const [read] = await sql`
        select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::int as rows
        from pg_stat_xact_user_tables`;
      return read.rows as number;
    };
    const before = await rowsSoFar(); // of the statements before, until they are told to all
    const answer = await sql.unsafe(statement);
    return { answer, rows: await rowsSoFar() - before };
  });
}

Deno.test("each tenant's rows are found by an index, among four hundred thousand of others", async (t) => {
  await using cluster = await startCluster(17);
  const { url, adminUrl } = await cluster.newDatabase();
  await withClient(adminUrl, async (sql) => {
    await sql.unsafe(fill).simple();
    await sql.unsafe("vacuum analyze");
  });
  await withClient(adminUrl, async (sql) => {
    for (
      const table of [
        "datasets",
        "partitions",
        "battle_files",
        "uploads",
        "processing_metrics",
        "dead_letters",
        "partition_status",
        "dataset_status",
        "quarantined_files",
        "dead_letter_summary",
      ]
    ) {
      for (const [who, user] of [["a user's own", mine], ["a reader's", reader]] as const) {
        await t.step(`${who} ${table}`, async () => {
          const read = await readBy(sql, "authenticated", `select * from public.${table}`, user);
          if (table !== "quarantined_files") assert.ok(read.answer.length > 0);
          assert.ok(read.rows < 100, `${read.rows} rows were read`);
          const plan = await readBy(
            sql,
            "authenticated",
            `explain (format json) select * from public.${table}`,
            user,
          );
          const text = JSON.stringify(plan.answer[0]["QUERY PLAN"]);
          assert.doesNotMatch(
            text,
            /"Node Type":"Seq Scan"[^{}]*"Relation Name":"(battle|upl|proc|dead|dataset_members)/,
          );
        });
      }
    }
    for (
      const call of [
        `list_dead_letters('${mine}')`,
        `list_files('${mine}', md5('d0')::uuid)`,
        `redrive_dead_letters('${mine}')`,
        `drop_dead_letters('${mine}', array[1, 2])`,
        `request_compaction('${mine}', md5('d0')::uuid)`,
        `list_files('${reader}', md5('d0')::uuid)`,
        `list_dead_letters('${reader}')`,
        `list_members('${mine}', md5('d0')::uuid)`,
        ...[mine, reader].flatMap((user) => [
          `list_datasets('${user}')`,
          `list_runs('${user}')`,
          `list_runs('${user}', p_failed => true)`,
          `list_runs('${user}', md5('d0')::uuid, 't', 'p')`,
          ...["debt", "stuck", "running"].map((state) =>
            `list_partitions('${user}', p_state => '${state}')`
          ),
          `list_quarantined('${user}')`,
          `read_overview('${user}')`,
          `list_tables('${user}', md5('d0')::uuid)`,
          `list_rewrites('${user}', md5('d0')::uuid)`,
          `list_lake('${user}')`,
          `list_lake('${user}', md5('d0')::uuid::text)`,
          `load_lake_table('${user}', md5('d0')::uuid::text, 't')`,
          `sign_lake_object('${user}', 'k-2.parquet', md5('d0')::uuid::text, 't')`,
        ]),
      ]
    ) {
      await t.step(call, async () => {
        const read = await readBy(sql, "service_role", `select public.${call}`);
        assert.ok(read.rows < 300, `${read.rows} rows were read`);
      });
    }
  });
  assert.ok(url);
});
