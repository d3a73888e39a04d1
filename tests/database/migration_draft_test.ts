import { strict as assert } from "node:assert";
import { compareDatabases } from "../../supabase/migrate/compare.ts";
import { draftMigrations, warnings } from "../../supabase/migrate/draft.ts";
import { runFile } from "../../supabase/migrate/run_files.ts";
import { type Cluster, startCluster, withClient } from "./cluster.ts";

let cluster: Cluster;
Deno.test.beforeAll(async () => {
  cluster = await startCluster(17);
});
Deno.test.afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

/** What a person does to the schemas, as SQL on a database of the migrations. */
const changes: { what: string; sql: string; drafts: RegExp }[] = [
  {
    what: "a changed body",
    sql: `create or replace function sediment.priority_rank(p_priority text) returns integer
      language sql immutable parallel safe set search_path = '' as $$ select 7 $$`,
    drafts: /CREATE OR REPLACE FUNCTION sediment\.priority_rank/,
  },
  {
    what: "a changed signature, which leaves no overload",
    sql: `drop function sediment.lock_quota;
      create function sediment.lock_quota(p_user uuid, p_more text default null) returns void
      language plpgsql set search_path = '' as $$ begin null; end $$;
      revoke all on function sediment.lock_quota from public;
      grant execute on function sediment.lock_quota to service_role`,
    drafts: /DROP FUNCTION "sediment"\."lock_quota"\(uuid\)/,
  },
  {
    what: "a view that loses a column",
    sql: `drop view public.dead_letter_summary;
      create view public.dead_letter_summary with (security_invoker = true) as
        select l.error_code, count(*) as open from public.dead_letters l group by l.error_code;
      grant select on public.dead_letter_summary to service_role, authenticated`,
    drafts: /DROP VIEW "public"\."dead_letter_summary"/,
  },
  {
    what: "a dropped function, policy and trigger",
    sql: `drop function public.find_objects; drop policy member_reads on public.assets;
      drop trigger keep_live_run on public.processing_metrics`,
    drafts: /DROP POLICY "member_reads" ON "public"\."assets"/,
  },
  {
    what: "a right that is taken back",
    sql: "revoke select on public.assets from authenticated",
    drafts: /REVOKE ALL ON TABLE "public"\."assets" FROM "authenticated"/,
  },
  {
    what: "a new table, with nothing for those whom a project grants whatever is new",
    sql: `create table public.fresh (id uuid primary key references public.datasets (id));
      alter table public.fresh enable row level security; grant select on public.fresh to service_role`,
    drafts: /revoke all on "public"\."fresh" from public, anon, authenticated, service_role;/,
  },
  {
    what: "a new table that numbers its rows, and nobody else's sequence of them",
    sql: `create table public.numbered (id bigint generated always as identity primary key);
      alter table public.numbered enable row level security`,
    drafts:
      /revoke all on sequence "public"\."numbered_id_seq" from public, anon, authenticated, service_role;/,
  },
  {
    what: "a column with its comment",
    sql: `alter table public.user_limits add column fresh integer check (fresh > 0);
      comment on column public.user_limits.fresh is 'what it does'`,
    drafts: /COMMENT ON COLUMN "public"\."user_limits"\."fresh" IS 'what it does'/,
  },
  {
    what: "a job that is scheduled otherwise, one that is new and one that is gone",
    sql: `select cron.schedule('sediment_tick', '20 seconds', 'select public.tick()');
      select cron.schedule('sediment_fresh', '5 4 * * *', $$ select 'it''s new' $$);
      select cron.unschedule('sediment_history')`,
    drafts: /cron\.schedule\('sediment_fresh', '5 4 \* \* \*', ' select ''it''''s new'' '\)/,
  },
  {
    what: "a policy of the store, and row security of a queue that is off",
    sql:
      `create policy fresh on storage.objects for select to authenticated using (bucket_id = 'x');
      alter table pgmq.q_compaction_dlq disable row level security`,
    drafts: /CREATE POLICY "fresh" ON "storage"\."objects"/,
  },
];

Deno.test("a draft brings a database to what the schemas say", async (t) => {
  const { from, to } = await changed(changes.map(({ sql }) => sql).join(";"));
  const [draft, ...others] = draftMigrations("change_it", await compareDatabases(from, to));
  assert.deepEqual(others, []);
  for (const { what, drafts } of changes) {
    await t.step(`it has ${what}`, () => assert.match(draft.text, drafts));
  }
  await withClient(from, (client) => runFile(client, draft.name, draft.text));
  assert.deepEqual(await compareDatabases(from, to), { actions: [], facts: [] });
});

Deno.test("the index of a table that is there is a file of its own, the index of a new table is not", async () => {
  const { from, to } = await changed(`create table public.fresh (a text, b text);
    create index fresh_a on public.fresh (a); create unique index assets_name on public.assets (file_name)`);
  const drafts = draftMigrations("change_it", await compareDatabases(from, to));
  assert.deepEqual(drafts.map(({ name }) => name), ["change_it", "index_assets_name"]);
  assert.match(drafts[0].text, /CREATE INDEX fresh_a ON public\.fresh/);
  assert.match(
    drafts[1].text,
    /^--.*\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS assets_name ON public\.assets .*;\n$/,
  );
  await withClient(from, async (client) => {
    for (const { name, text } of drafts) await runFile(client, name, text);
  });
  assert.deepEqual(await compareDatabases(from, to), { actions: [], facts: [] });
});

Deno.test("a renamed column, and one that must have a value, are told of: an empty database takes both", async () => {
  const { from, to } = await changed(`
    alter table public.assets rename column etag to entity_tag;
    alter table public.assets add column fresh integer not null;
    alter table public.assets add column easy integer not null default 1;
    alter table public.alerts alter column sent_at set not null`);
  assert.deepEqual(warnings(await compareDatabases(from, to)).sort(), [
    'fails where a row has null: ALTER TABLE "public"."alerts" ALTER COLUMN "sent_at" SET NOT NULL',
    'fails where the table has rows: ALTER TABLE "public"."assets" ADD COLUMN "fresh" integer NOT NULL',
    ...["easy", "entity_tag", "fresh"].map((name) =>
      `if it has a new name only: ALTER TABLE "public"."assets" RENAME COLUMN "etag" TO "${name}";`
    ),
    'loses data: ALTER TABLE "public"."assets" DROP COLUMN "etag"',
  ]);
});

/** What no draft brings must show all the same: a person writes it. */
const forAPerson: { what: string; sql: string; fact: string }[] = [
  {
    what: "the order of columns",
    sql:
      `alter table public.assets drop column etag; alter table public.assets add column etag text`,
    fact: "column order public.assets.etag",
  },
  {
    what: "a row that the catalog begins with",
    sql: "update public.service_settings set max_workers = 5",
    fact: "row public.service_settings 0",
  },
  {
    what: "the bucket's limit",
    sql: "update storage.buckets set file_size_limit = 5",
    fact: "bucket sediment",
  },
  {
    what: "rights on a queue",
    sql: "revoke select on pgmq.q_compaction_dlq from service_role",
    fact: "rights pgmq.q_compaction_dlq",
  },
  {
    what: "row security of an archive",
    sql: "alter table pgmq.a_compaction_dlq disable row level security",
    fact: "row security pgmq.a_compaction_dlq",
  },
  {
    what: "how a column is stored",
    sql: "alter table public.battle_files alter column stats set storage external",
    fact: "column storage public.battle_files.stats",
  },
  {
    what: "how much is known of a column's values",
    sql: "alter table public.battle_files alter column object_key set statistics 500",
    fact: "column storage public.battle_files.object_key",
  },
  { what: "a queue", sql: "select pgmq.create('fresh')", fact: "queue fresh" },
  {
    what: "a comment on what is the platform's",
    sql: "comment on table pgmq.q_compaction_dlq is 'ours'",
    fact: "comment pg_class table pgmq.q_compaction_dlq",
  },
];

Deno.test("what no draft brings is seen to differ", async (t) => {
  const { from, to } = await changed(forAPerson.map(({ sql }) => sql).join(";"));
  const { facts } = await compareDatabases(from, to);
  for (const { what, fact } of forAPerson) {
    await t.step(what, () => {
      assert.ok(facts.some(({ kind, name }) => `${kind} ${name}` === fact), JSON.stringify(facts));
    });
  }
});

async function changed(sql: string): Promise<{ from: string; to: string }> {
  const [from, to] = [await cluster.newDatabase(), await cluster.newDatabase()];
  await withClient(to.url, (client) => client.unsafe(sql).simple());
  return { from: from.url, to: to.url };
}
