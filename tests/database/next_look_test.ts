import { strict as assert } from "node:assert";
import postgres from "postgres";
import { planCompaction } from "../../shared/compaction/plan/plan.ts";
import { waitingIn } from "../../shared/compaction/plan/waiting.ts";
import { file, now, settings } from "../compaction/plan_file.ts";
import fc from "../support/fast_check.ts";
import { startCluster } from "./cluster.ts";

const dataset = "00000000-0000-4000-8000-000000000001";

/** What waits in a partition once files have come to it, one upload after the other. */
const countSql = `
  create function public.count_all(p_files jsonb, out files integer[], out oldest timestamptz[]) language plpgsql as $$
  declare
    x public.partitions := sediment.new_partition('${dataset}', 't');
    f record;
    c sediment.commit_file;
  begin
    for f in
      select r.* from jsonb_to_recordset(p_files) as r(byte_length bigint, row_group_count integer,
        uncompressed_bytes bigint, uploaded_at timestamptz) order by r.uploaded_at
    loop
      c.byte_length := f.byte_length;
      c.row_group_count := f.row_group_count;
      c.uncompressed_bytes := f.uncompressed_bytes;
      select w.tier_files, w.tier_oldest into x.tier_files, x.tier_oldest
      from sediment.count_waiting(x, array[c], f.uploaded_at) as w;
    end loop;
    files := x.tier_files;
    oldest := x.tier_oldest;
  end $$;
  insert into public.datasets (id, user_id) values ('${dataset}', '${dataset}');
  select public.approve_lake_table('t')`;

Deno.test("the catalog looks at what waits no later than the planner would act", async () => {
  await using cluster = await startCluster(17);
  const sql = postgres((await cluster.newDatabase()).url, { max: 1, onnotice: () => {} });
  await sql.unsafe(countSql).simple();
  const files = fc.array(
    fc.record({
      byte_length: fc.oneof(
        fc.integer({ min: 1, max: 200_000 }),
        fc.constantFrom(32_767, 32_768, 65_536, 131_072, 30_000_000),
      ),
      level: fc.constantFrom(0, 0, 0, 1),
      schema_fingerprint: fc.constantFrom("s1", "s1", "s2"),
      age: fc.integer({ min: 0, max: 7_200 }),
    }),
    { maxLength: 12 },
  );
  const some = fc.record({
    min_inputs: fc.integer({ min: 1, max: 9 }),
    max_age_seconds: fc.integer({ min: 0, max: 7_200 }),
    dedupe_keys: fc.constantFrom<string[][]>([], [], ["key"]),
    lake: fc.constantFrom(undefined, { dataset_column: "d", period_column: "p" }),
  });
  let acted = 0, waited = 0;
  try {
    await fc.assert(
      fc.asyncProperty(files, files, some, async (before, since, changed) => {
        const table = { ...settings, ...changed };
        const filesOf = (list: typeof before) =>
          list.map(({ age, ...rest }) =>
            file({ ...rest, uploaded_at: new Date(now.getTime() - age * 1000).toISOString() })
          );
        // what a run left, and what came since
        const old = filesOf(before);
        const left = planCompaction({ files: old, settings: table, forced: false, now });
        fc.pre(left.outputs.length === 0);
        const came = filesOf(since.map((one) => ({ ...one, level: 0 })));
        const waiting = waitingIn(left.groups, table);
        await sql`
          insert into public.table_settings (dataset_id, "table", min_inputs, max_age_seconds, target_file_bytes,
            healthy_row_group_bytes)
          values (${dataset}, 't', ${table.min_inputs}, ${table.max_age_seconds}, ${table.target_file_bytes},
            ${table.healthy_row_group_bytes})
          on conflict (dataset_id, "table") do update
          set min_inputs = excluded.min_inputs, max_age_seconds = excluded.max_age_seconds`;
        await sql`
          update public.lake_tables set withdrawn_at = ${table.lake ? null : now.toISOString()}
          where name = 't'`;
        const [{ look }] = await sql`
          select sediment.next_look(sediment.add_tiers(${waiting.files}, c.files),
            sediment.oldest_of_tiers(${waiting.oldest}::timestamptz[], c.oldest),
            ${table.min_inputs}, ${table.max_age_seconds}, ${now.toISOString()}::timestamptz,
              ${table.lake !== undefined}) as look
          from public.count_all(${sql.json(came as never)}) as c`;
        const plan = planCompaction({
          files: [...old, ...came],
          settings: table,
          forced: false,
          now,
        });
        const acts = plan.outputs.length > 0 ? now : plan.nextDueAt;
        if (acts === null) return;
        if (acts === now) acted++;
        else waited++;
        // the partition is due by what the run said, or by what came
        const looks = [look, left.nextDueAt].filter((at) => at !== null);
        assert.ok(
          looks.some((at) => at <= acts),
          `looked at ${looks}, the planner acts at ${acts}: ${plan.decision}`,
        );
      }),
      { numRuns: 600 },
    );
    assert.ok(acted > 50 && waited > 20, `${acted} acted, ${waited} waited`);
  } finally {
    await sql.end();
  }
});
