import { strict as assert } from "node:assert";
import postgres from "postgres";
import fc from "../support/fast_check.ts";
import { type Call, datasets, step, users } from "./alone_calls.ts";
import { startCluster } from "./cluster.ts";

const known = [...users, ...datasets];

/** What uploads read and write. */
const tables = [
  ...[
    "objects",
    "uploads",
    "battle_files",
    "file_schemas",
    "partitions",
    "datasets",
    "dataset_versions",
    "user_usage",
  ]
    .map((name) => `public.${name}`),
  ...["processing_metrics", "metric_deltas", "idempotency_keys", "deletions", "dataset_members"]
    .map((name) => `public.${name}`),
  ...["manual", "realtime", "scheduled"].flatMap((
    name,
  ) => [`pgmq.q_compaction_${name}`, `pgmq.a_compaction_${name}`]),
];
const dump = tables
  .map((table) => `select '${table}' as of_table, to_jsonb(t)::text as row from ${table} t`)
  .join(" union all ");

type Rows = { of_table: string; row: string }[];

/** What became other than it was, times to the hour about, and without what is drawn anew each time. */
function changes(before: Rows, after: Rows): string[] {
  const old = new Set(before.map(({ of_table, row }) => of_table + row));
  const oldTexts = new Set(
    before.flatMap(({ row }) => row.match(/"(id|msg_id)": \d+|"[^"]+"/g) ?? []),
  );
  const now = new Set(after.map(({ of_table, row }) => of_table + row));
  const gone = before.filter(({ of_table, row }) => !now.has(of_table + row)).map((row) => ({
    ...row,
    sign: "-",
  }));
  const came = after.filter(({ of_table, row }) => !old.has(of_table + row)).map((row) => ({
    ...row,
    sign: "+",
  }));
  const names = new Map<string, string>();
  return [...gone, ...came]
    .map(({ sign, of_table, row }) => ({ text: `${sign}${of_table} ${row}` }))
    .map(({ text }) =>
      text
        .replace(/"(id|msg_id)": (\d+)/g, (all, key) => oldTexts.has(all) ? all : `"${key}": new`)
        .replace(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)?/g, (at) =>
          oldTexts.has(`"${at}"`)
            ? at
            : `in ${Math.round((Date.parse(at) - Date.now()) / 3_600_000)} h`)
        .replace(/\d+\.\d{5,}/g, (number) =>
          String(Math.round(Number(number))))
    )
    .toSorted((one, other) => {
      const [a, b] = [one, other].map((text) => text.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "?"));
      return a < b ? -1 : a > b ? 1 : 0;
    })
    .map((text) =>
      text.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, (id) => {
        if (known.includes(id) || before.some(({ row }) => row.includes(id))) return id;
        if (!names.has(id)) names.set(id, `new ${names.size}`);
        return names.get(id)!;
      })
    );
}

/** The functions as they are without the way of those that come alone. */
const together = ["stage", "commit"].map((what) => `
  do $$ begin execute replace(replace(pg_get_functiondef('sediment.${what}_uploads(jsonb)'::regprocedure),
    'sediment.${what}_uploads', 'sediment.${what}_together'), 'jsonb_array_length(p_calls) = 1', 'false'); end $$;`)
  .join("");

const start = `
  insert into public.datasets (id, user_id) select id, '${
  users[0]
}' from unnest('{${datasets}}'::uuid[]) as d(id);
  insert into public.file_schemas (digest, schema, fingerprint)
  select sediment.schema_digest(v), v, 's1' from (values ('{"name": "ü"}'::jsonb)) x(v);
  insert into public.partitions (dataset_id, "table", period_tag, last_considered_at)
  select id, 't', p, now() from public.datasets, (values ('p'), ('p2')) x(p)`;

/** Thrown to take back what was done. */
const undone = new Error("undone");
const passUndone = (error: unknown) => {
  if (error !== undone) throw error;
};

/** Makes a call by the way that it takes, or as one of a group; what became of it, and whether it was answered alone. */
async function outcome(
  sql: postgres.TransactionSql,
  before: Rows,
  [what, call]: [string, unknown],
  isAlone: boolean,
) {
  const query = `with a as materialized (select ${
    isAlone ? `sediment.${what}_alone($1::jsonb)` : "null::jsonb"
  } as one)
    select (case when a.one is not null then to_jsonb(array[a.one])
      else to_jsonb(sediment.${what}_${
    isAlone ? "uploads" : "together"
  }(jsonb_build_array($1::jsonb))) end)::text as answer,
      a.one is not null as alone from a`;
  const { answer, alone } = await sql.savepoint(async (sql) => {
    const [row] = await sql.unsafe(query, [call as never]);
    if (row.answer.startsWith('[{"error"')) throw Object.assign(new Error(), { code: row.answer });
    return { answer: row.answer, alone: row.alone };
  }).catch(({ code }) => ({ answer: code, alone: false }));
  // the answer as a row more, so that its ids are those of the tables
  const rows = [...await sql.unsafe<Rows>(dump), { of_table: "answer", row: answer }];
  return { rows: changes(before, rows), alone };
}

/** The call as it is made: what is the stage's own in it is that of the stage. */
async function callOf(sql: postgres.TransactionSql, one: Call): Promise<Record<string, unknown>> {
  if ("stage" in one) return one.stage;
  const [staged] = await sql`
    select stage_id as p_stage, user_id as p_user, size::integer as p_size, content_hash as p_content_hash
    from public.objects where kind = 'fragment' order by created_at desc, ctid desc limit 1 offset ${one.nth}`;
  const other = Object.entries(one.commit).filter(([, value]) => value !== "same");
  return { p_stage: users[0], ...staged, ...Object.fromEntries(other) };
}

Deno.test("an upload that comes alone is planned and acknowledged as one of a group is", async () => {
  await using cluster = await startCluster(17);
  const sql = postgres((await cluster.newDatabase()).url, { max: 1, onnotice: () => {} });
  const met = { stage: 0, commit: 0 };
  try {
    await sql.unsafe(together + start).simple();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 15, maxLength: 30 }), async (steps) => {
        await sql.begin(async (sql) => {
          for (const one of steps.flat()) {
            if ("event" in one) {
              await sql.savepoint((sql) => sql.unsafe(one.event.replaceAll("$1", String(one.n))))
                .catch(() => {});
              continue;
            }
            const what = "stage" in one ? "stage" : "commit";
            const call = await callOf(sql, one);
            const before = await sql.unsafe<Rows>(dump);
            const minute = () => Math.floor(Date.now() / 60_000);
            const began = minute();
            let expected: string[] = [];
            await sql.savepoint(async (sql) => {
              expected = (await outcome(sql, before, [what, call], false)).rows;
              throw undone;
            }).catch(passUndone);
            const { rows, alone } = await outcome(sql, before, [what, call], true);
            // limits are by the minute
            if (began === minute()) assert.deepEqual(rows, expected, JSON.stringify(call));
            if (alone) met[what]++;
          }
          throw undone;
        }).catch(passUndone);
      }),
      { numRuns: 12, endOnFailure: true },
    );
  } finally {
    await sql.end();
  }
  assert.ok(met.stage > 20 && met.commit > 10, JSON.stringify(met));
});
