import { strict as assert } from "node:assert";
import postgres from "postgres";
import { groupsOfSchemas, planCompaction } from "../../shared/compaction/plan/plan.ts";
import { uniteSchemas } from "../../shared/compaction/plan/unite_schemas.ts";
import { waitingAfter } from "../../shared/compaction/plan/waiting_groups.ts";
import type { SchemaJson } from "../../shared/parquet/format/schema_json.ts";
import { file, now, settings } from "../compaction/plan_file.ts";
import fc from "../support/fast_check.ts";
import { startCluster } from "./cluster.ts";

const leaf = (name: string, type: string): SchemaJson => ({ name, type, repetition: "optional" });
const schemaOf = (...children: SchemaJson[]) => ({
  name: "root",
  children: [leaf("key", "INT32"), ...children],
});
/** Of the second and the third there is no union; the others are united with either. */
const schemas: Record<string, SchemaJson> = {
  s1: schemaOf(),
  s2: schemaOf(leaf("x", "INT32")),
  s3: schemaOf(leaf("x", "BYTE_ARRAY")),
  s4: schemaOf(leaf("y", "INT32")),
};

const dataset = "00000000-0000-4000-8000-000000000001";

/**
 * What waits in a partition once files have come to it, one upload after the other, and when that is to be looked at. What the
 * run before left is there already, or, where p_claimed, comes with its end.
 */
const countSql = `
  create function public.count_all(p_left jsonb, p_files jsonb, p_claimed boolean, p_settings jsonb, p_now timestamptz)
  returns timestamptz language plpgsql as $$
  declare
    x public.partitions := sediment.new_partition('${dataset}', 't');
    f record;
    c sediment.commit_file;
    v_look timestamptz;
    v_groups jsonb := (p_left -> 'groups') || '[{"files": [], "oldest": []}]'::jsonb;
  begin
    if not p_claimed then
      x.tier_files := sediment.tier_files_of(p_left);
      x.tier_oldest := sediment.tier_oldest_of(p_left);
      x.tier_groups := v_groups;
    end if;
    for f in
      select r.* from jsonb_to_recordset(p_files) as r(byte_length bigint, row_group_count integer,
        uncompressed_bytes bigint, uploaded_at timestamptz, schema_fingerprint text)
    loop
      c.byte_length := f.byte_length;
      c.row_group_count := f.row_group_count;
      c.uncompressed_bytes := f.uncompressed_bytes;
      c.schema_fingerprint := f.schema_fingerprint;
      -- by then the run would have been told of what is due
      select w.tier_files, w.tier_oldest, w.tier_groups, least(v_look, w.due_at)
      into x.tier_files, x.tier_oldest, x.tier_groups, v_look
      from sediment.count_waiting(x, array[c], f.uploaded_at) as w;
    end loop;
    if p_claimed then
      v_groups := jsonb_set(v_groups, '{-1}', jsonb_build_object('files', coalesce(to_jsonb(x.tier_files), '[]'),
        'oldest', coalesce(to_jsonb(x.tier_oldest), '[]')));
      x.tier_files := sediment.add_tiers(sediment.tier_files_of(p_left), x.tier_files);
      x.tier_oldest := sediment.oldest_of_tiers(sediment.tier_oldest_of(p_left), x.tier_oldest);
      x.tier_groups := v_groups;
    end if;
    -- where the last writer wins what waits is forgotten with the upload that parts it from what comes later
    return least(case when (p_settings -> 'dedupe_keys') <> '[]' then v_look end, sediment.next_look(x.tier_files, x.tier_oldest, (p_settings ->> 'min_inputs')::integer,
      (p_settings ->> 'max_age_seconds')::integer, p_now, (p_settings ->> 'lake')::boolean, x.tier_groups));
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
      schema_fingerprint: fc.constantFrom("s1", "s2", "s2", "s3", "s3", "s4"),
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
  const isClaimed = fc.constantFrom(true, false, false);
  const found = { acted: 0, waited: 0, parted: 0 };
  try {
    await fc.assert(
      fc.asyncProperty(files, files, some, isClaimed, async (before, since, changed, claimed) => {
        const table = { ...settings, ...changed };
        const filesOf = (list: typeof before) =>
          list.map(({ age, ...rest }) =>
            file({ ...rest, uploaded_at: new Date(now.getTime() - age * 1000).toISOString() })
          );
        // what a run left, and what came since
        const old = filesOf(before);
        const given = { settings: table, schemas, unite: uniteSchemas, forced: false, now };
        const left = planCompaction({ files: old, ...given });
        fc.pre(left.outputs.length === 0);
        // in order, and after what is there
        const youngest = Math.min(...before.map(({ age }) => age));
        const came = filesOf(
          since.map((one) => ({ ...one, level: 0 as const, age: Math.min(one.age, youngest) }))
            .toSorted((one, other) => other.age - one.age),
        );
        const waiting = waitingAfter(
          left.groups,
          [],
          table,
          (fingerprints) =>
            groupsOfSchemas(fingerprints, table, schemas, uniteSchemas)
              .map((group) => group.fingerprints),
        );
        await sql`
          insert into public.table_settings (dataset_id, "table", min_inputs, max_age_seconds, target_file_bytes,
            healthy_row_group_bytes, dedupe_keys)
          values (${dataset}, 't', ${table.min_inputs}, ${table.max_age_seconds}, ${table.target_file_bytes},
            ${table.healthy_row_group_bytes}, ${changed.dedupe_keys.flat()})
          on conflict (dataset_id, "table") do update
          set min_inputs = excluded.min_inputs, max_age_seconds = excluded.max_age_seconds,
            dedupe_keys = excluded.dedupe_keys`;
        await sql`
          update public.lake_tables set withdrawn_at = ${table.lake ? null : now.toISOString()}
          where name = 't'`;
        const [{ look }] = await sql`
          select public.count_all(${sql.json(waiting as never)}, ${
          sql.json(came as never)
        }, ${claimed},
            ${
          sql.json({ ...table, lake: table.lake !== undefined } as never)
        }, ${now.toISOString()}) as look`;
        const plan = planCompaction({ files: [...old, ...came], ...given });
        const acts = plan.outputs.length > 0 ? now : plan.nextDueAt;
        if (acts === null) return;
        if (acts === now) found.acted++;
        else found.waited++;
        if (waiting.groups) found.parted++;
        // the partition is due by what the run said, or by what came
        const looks = [look, left.nextDueAt].filter((at) => at !== null);
        assert.ok(
          looks.some((at) => at <= acts),
          `looked at ${looks}, the planner acts at ${acts}: ${plan.decision}`,
        );
      }),
      { numRuns: 600 },
    );
    assert.ok(found.acted > 50 && found.waited > 20 && found.parted > 50, JSON.stringify(found));
  } finally {
    await sql.end();
  }
});
