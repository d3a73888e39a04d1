/**
 * An upgrade under load: functions of two releases, the old schema and then the new one, while uploads come, workers
 * merge and readers read. The newer release is today's code with a catalog that needs, calls and passes what only a
 * test-only migration brings.
 */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import { createClient } from "@supabase/supabase-js";
import postgres, { type Sql } from "postgres";
import { createApp } from "../../functions/main.ts";
import { type Catalog, createCatalog } from "../../shared/catalog/catalog.ts";
import { connectCatalog } from "../../shared/catalog/connect_catalog.ts";
import { groupUploads } from "../../shared/catalog/group_uploads.ts";
import { neededSchema, requireSchema } from "../../shared/catalog/require_schema.ts";
import {
  applyMigrations,
  migrationFiles,
  repositoryMigrations,
} from "../../supabase/local/migrate.ts";
import {
  type CatalogWay,
  catalogWays,
  type Stack,
  startStack,
} from "../../supabase/local/stack.ts";
import { schemaSource } from "../database/schema_source.ts";
import { sha256, signUp, type TestUser, until, uploadForm } from "../support/client.ts";
import { multisetDifference, openDuckdb, readParquet } from "../support/duckdb.ts";
import { type Fragment, makeFragments } from "../support/fragments.ts";

/** Columns, an index, a function that is new, one that takes more than before, a view that shows more. */
async function newerMigrations(): Promise<Record<string, string>> {
  const claim = await schemaSource("claim_compaction");
  const head = "claim_compaction(p_worker text, p_lease_seconds integer default 300)";
  assert.ok(claim.includes(head), "claim_compaction takes other arguments: change this test");
  const lock = "set local lock_timeout = '2s';\n";
  const partitionStatus = await schemaSource("partition_status");
  return {
    "20990101000000_add_probe_to_partitions.sql":
      `${lock}alter table public.partitions add column probe text not null default '';`,
    "20990101000001_add_probe_to_files.sql":
      `${lock}alter table public.battle_files add column probe integer check (probe > 0);`,
    "20990101000002_index_files_probe.sql":
      "create index concurrently battle_files_probe on public.battle_files (probe);",
    "20990101000003_take_probes.sql": `${lock}
drop function public.claim_compaction(text, integer);
${claim.replace(head, head.replace(")", ", p_probe text default null)"))}
revoke all on function public.claim_compaction(text, integer, text) from public;
grant execute on function public.claim_compaction(text, integer, text) to service_role;
${
      partitionStatus.replace(
        /\n {2}from public\.partitions p;/,
        ",\n    p.probe\n  from public.partitions p;",
      )
    }
create or replace function public.schema_version() returns jsonb language sql stable
set search_path = '' as $$ select to_jsonb(${neededSchema + 1}) $$;`,
  };
}

/** Today's functions, and those of a release that needs the newer schema. */
function releases(stack: Stack, way: CatalogWay) {
  const open = () => {
    const { SEDIMENT_DATABASE_URL: url, ...env } = stack.functionsEnv;
    if (url !== undefined) return { env, ...connectCatalog(url) };
    const client = createClient(stack.url, stack.secretKey, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    });
    return { env, catalog: createCatalog(client), close: () => Promise.resolve() };
  };
  assert.equal(stack.functionsEnv.SEDIMENT_DATABASE_URL === undefined, way === "postgrest");
  const [older, newer] = [open(), open()];
  const passesProbe: Catalog = {
    ...newer.catalog,
    claimCompaction: (args, options) =>
      newer.catalog.claimCompaction({ ...args, probe: "newer" } as typeof args, options),
  };
  return {
    old: createApp(older.env, { catalog: requireSchema(groupUploads(older.catalog)) }),
    new: createApp(newer.env, {
      // Asked so often, the newer functions meet PostgREST before it has read the newer schema.
      catalog: requireSchema(groupUploads(passesProbe), {
        needed: neededSchema + 1,
        recheckMs: 20,
      }),
    }),
    close: () => Promise.all([older.close(), newer.close()]),
  };
}

type Release = "old" | "new";

/** What came of the requests: how many of each kind, by release and answer. */
class Answers {
  readonly counts = new Map<string, number>();
  add(release: Release, what: string, said: string): void {
    const key = `${release} ${what} ${said}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }
  of(key: string): number {
    return this.counts.get(key) ?? 0;
  }
}

for (const way of catalogWays) {
  Deno.test(`a schema is upgraded under load, and only what is newer than it waits for it, over ${way}`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "sediment-upgrade-" });
    await Deno.chmod(folder, 0o711);
    const migrationsDir = join(folder, "migrations");
    await Deno.mkdir(migrationsDir);
    for (const file of await migrationFiles(repositoryMigrations)) {
      await Deno.copyFile(join(repositoryMigrations, file), join(migrationsDir, file));
    }
    const duckdb = await openDuckdb();
    const stateDir = join(folder, "state");
    const stack = await startStack({ stateDir, migrationsDir, catalog: way, functions: false });
    const sql = postgres(stack.adminDbUrl, { max: 2, onnotice: () => {} });
    const apps = releases(stack, way);
    const answers = new Answers();
    try {
      await sql`update public.service_settings set realtime_delay_seconds = 0, min_inputs = 2,
        backoff_base_seconds = 1, backoff_cap_seconds = 1, idle_recheck_seconds = 1`;
      const user = await signUp(stack, "upgrade@example.com");
      const dataset = crypto.randomUUID();
      const fragments = await makeFragments(folder, 150, 50, undefined, duckdb);
      const load = startLoad({ apps, stack, user, dataset, fragments, answers });

      await until(
        "uploads to the old functions, and refusals of the new ones",
        60,
        () =>
          Promise.resolve(
            answers.of("old upload 200") >= 10 && answers.of("old turn 200") >= 2 &&
              answers.of("new upload schema_outdated") > 0 &&
              answers.of("new turn schema_outdated") > 0,
          ),
      );
      assert.equal(answers.of("new upload 200"), 0);

      for (const [file, text] of Object.entries(await newerMigrations())) {
        await Deno.writeTextFile(join(migrationsDir, file), text);
      }
      load.allow(110);
      await push({ migrationsDir, stateDir, databaseUrl: stack.dbUrl, sql });

      await until("both releases at work on the new schema", 60, () =>
        Promise.resolve(
          answers.of("new upload 200") >= 10 && answers.of("new turn 200") >= 2 &&
            answers.of("old upload 200") > 40,
        ));
      await load.stop();
      await rest({ apps, stack, user, dataset, sql });

      const wrong = [...answers.counts.keys()].filter((key) =>
        !/^(old|new) (upload|turn|read) 200$/.test(key) && !/^new \w+ schema_outdated$/.test(key)
      );
      assert.deepEqual(wrong, []);
      assert.equal((await sql`select 1 from public.dead_letters`).length, 0);
      const [{ failed }] = await sql`select count(*)::int as failed
        from public.processing_metrics where error_code is not null`;
      assert.equal(failed, 0, "no attempt was spent");
      await assertSameRows({ apps, stack, user, dataset, folder, duckdb, fragments });
    } finally {
      await sql.end();
      await apps.close();
      await stack.stop();
      duckdb.closeSync();
      await Deno.remove(folder, { recursive: true });
    }
  });
}

interface World {
  apps: ReturnType<typeof releases>;
  stack: Stack;
  user: TestUser;
  dataset: string;
}

/** As an operator does: again when a migration could not have its lock, and once more for nothing. */
async function push(options: Parameters<typeof applyMigrations>[0]): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      await applyMigrations(options);
      break;
    } catch (error) {
      if (tries === 100 || !/lock timeout|deadlock detected/.test(String(error))) throw error;
    }
  }
  assert.deepEqual(await applyMigrations(options), []);
}

/** Uploads each fragment until it is stored, takes turns, reads; each time through one release or the other. */
function startLoad(
  { apps, stack, user, dataset, fragments, answers }: World & {
    fragments: Fragment[];
    answers: Answers;
  },
) {
  const stopping = new AbortController();
  const rounds = async (work: (release: Release) => Promise<unknown>) => {
    for (let round = 0; !stopping.signal.aborted; round++) {
      await work(round % 2 === 0 ? "old" : "new");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const ask = async (release: Release, what: string, request: Request) => {
    const response = await apps[release].fetch(request);
    const body = await response.json();
    answers.add(release, what, response.ok ? String(response.status) : body.code);
    return response.ok;
  };
  const left = [...fragments];
  // So many may be stored: what is left is for the releases' later meetings, however fast the machine is.
  let allowed = 40;
  const uploads = rounds(async (release) => {
    const fragment = left[0];
    if (fragment === undefined || fragments.length - left.length >= allowed) return;
    if (await ask(release, "upload", await uploadOf(stack, user, dataset, fragment))) left.shift();
  });
  const turns = [0, 1].map(() => rounds((release) => ask(release, "turn", turnOf(stack))));
  const reads = rounds((release) =>
    left.length === fragments.length
      ? Promise.resolve()
      : ask(release, "read", readOf(stack, user, dataset))
  );
  return {
    /** Lets so many fragments be stored in all. */
    allow(count: number) {
      allowed = count;
    },
    /** Sends what is left, then ends. */
    async stop() {
      allowed = fragments.length;
      await until("every fragment is stored", 120, () => Promise.resolve(left.length === 0));
      stopping.abort();
      await Promise.all([uploads, ...turns, reads]);
    },
  };
}

/** Takes turns until nothing is left to do. */
async function rest({ apps, stack, sql }: World & { sql: Sql }): Promise<void> {
  await until("rest", 60, async () => {
    for (const release of ["old", "new"] as const) {
      await (await apps[release].fetch(turnOf(stack))).body?.cancel();
    }
    const [{ left }] = await sql`select count(*)::int as left from public.partitions
      where msg_id is not null and ready_at <= clock_timestamp() or lease_expires_at is not null`;
    return left === 0;
  });
}

async function assertSameRows(
  { apps, stack, user, dataset, folder, duckdb, fragments }: World & {
    folder: string;
    duckdb: Awaited<ReturnType<typeof openDuckdb>>;
    fragments: Fragment[];
  },
): Promise<void> {
  const { files } = await (await apps.old.fetch(readOf(stack, user, dataset))).json();
  assert.ok(files.length < fragments.length, "something was merged");
  const read: Record<string, string[]> = {};
  for (const [index, file] of files.entries()) {
    const path = join(folder, `visible-${index}.parquet`);
    await Deno.writeFile(path, await (await fetch(file.url)).bytes());
    (read[file.table] ??= []).push(path);
  }
  for (const table of new Set(fragments.map((fragment) => fragment.table))) {
    const sent = fragments.filter((fragment) => fragment.table === table).map(({ path }) => path);
    assert.deepEqual(
      await multisetDifference(duckdb, readParquet(sent), readParquet(read[table])),
      { onlyLeft: 0, onlyRight: 0 },
      table,
    );
  }
}

const at = (stack: Stack, path: string) => `${stack.url}/functions/v1${path}`;

async function uploadOf(stack: Stack, user: TestUser, dataset: string, fragment: Fragment) {
  const bytes = await Deno.readFile(fragment.path);
  return new Request(at(stack, "/battle-data/upload"), {
    method: "POST",
    headers: user.headers,
    body: uploadForm({
      dataset_id: dataset,
      table: fragment.table,
      period_tag: fragment.periodTag,
      file_size: bytes.length,
      content_hash: sha256(bytes),
    }, bytes),
  });
}

const turnOf = (stack: Stack) =>
  new Request(at(stack, "/compactor"), { method: "POST", headers: { apikey: stack.secretKey } });

const readOf = (stack: Stack, user: TestUser, dataset: string) =>
  new Request(at(stack, `/battle-data/latest?dataset_id=${dataset}&limit=1000`), {
    headers: user.headers,
  });
