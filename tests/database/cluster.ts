/**
 * PostgreSQL clusters for the catalog's tests: 17 from npm, as the embedded stack runs it, and the machine's own
 * 15 where Debian's packages are. Each is what a hosted project is before its first migration; a database of it
 * gets the migrations and the pgmq version that a test asks for.
 */
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { authSchemaSql } from "../../supabase/local/auth.ts";
import { cacheFolder } from "../../supabase/local/parts/cache_folder.ts";
import { bootstrapDatabase } from "../../supabase/local/postgres/bootstrap.ts";
import { runAs } from "../../supabase/local/postgres/run_as.ts";
import { initCluster, startPostgres, superuser } from "../../supabase/local/postgres/server.ts";
import { bootstrappedTemplate, copyCluster } from "../../supabase/local/postgres/template.ts";
import { type PostgresTree, preparePostgresTree } from "../../supabase/local/postgres/tree.ts";
import { openStateFolder } from "../../supabase/local/state/folder.ts";
import { startWatchdog } from "../../supabase/local/state/watchdog.ts";
import { applyMigrations } from "./migrations.ts";
import { debianTree } from "./debian_postgres.ts";

export interface TestDatabase {
  /** As the role postgres, who owns the catalog and is no superuser. */
  url: string;
  /** As the superuser. */
  adminUrl: string;
}

export interface Cluster extends AsyncDisposable {
  /**
   * A new database.
   *
   * @param options.pgmq version of the extension to create first @default the newest
   * @param options.migrated whether the migrations are applied @default true
   */
  newDatabase(options?: { pgmq?: string; migrated?: boolean }): Promise<TestDatabase>;
  /** Stops the server; the function that is given starts it again, on its port. */
  stop(): Promise<() => Promise<void>>;
}

/** Starts a cluster in a temporary folder; disposing stops it and removes the folder. */
export async function startCluster(major: 15 | 17 = 17): Promise<Cluster> {
  await using stack = new AsyncDisposableStack();
  const folder = await openStateFolder(undefined);
  stack.defer(() => folder.close());
  const cacheDir = await cacheFolder(folder.path);
  const as = await runAs(folder.path, major === 17 ? cacheDir : folder.path);
  const watchdog = startWatchdog(folder.path);
  stack.defer(() => watchdog.close());
  const home = join(folder.path, "postgres");
  await Deno.mkdir(home);
  await as.own(home);
  const dataDir = join(home, "data");

  let tree: PostgresTree;
  let password: string;
  if (major === 17) {
    tree = await preparePostgresTree(cacheDir);
    const template = await bootstrappedTemplate({ cacheDir, tree, as, watchdog });
    password = template.password;
    await copyCluster(template, dataDir, as);
  } else {
    tree = await debianTree(major, join(home, "tree"), await preparePostgresTree(cacheDir));
    password = crypto.randomUUID();
    await initCluster({ dataDir, password, tree, as });
  }
  const start = (preferredPort?: number) =>
    startPostgres({
      dataDir,
      logFile: join(home, "postgres.log"),
      tree,
      as,
      watchdog,
      preferredPort,
    });
  let server = await start();
  stack.defer(() => server.stop());
  const url = (login: string, database: string) =>
    `postgresql://${login}:${password}@127.0.0.1:${server.port}/${database}`;
  if (major !== 17) {
    await withClient(url(superuser, "postgres"), async (sql) => {
      await bootstrapDatabase(sql, await authSchemaSql());
      await sql.unsafe(`alter role postgres password '${password}'`);
    });
  }

  // template1 takes no part: its connection copies databases that nobody else is connected to
  const copyDatabase = (from: string, name: string) =>
    withClient(url(superuser, "template1"), async (sql) => {
      await sql.unsafe(`create database ${name} template ${from} owner postgres`);
    });
  const prepare = async (name: string, pgmq: string | undefined, migrated: boolean) => {
    await copyDatabase("postgres", name);
    await withClient(url(superuser, name), async (sql) => {
      await sql.unsafe(`create extension if not exists pgtap with schema extensions`);
    });
    await withClient(url("postgres", name), async (sql) => {
      if (pgmq) await sql.unsafe(`create extension pgmq version '${pgmq}'`);
      if (migrated) await applyMigrations(sql);
    });
  };

  let count = 0;
  let template: Promise<void> | undefined;
  const moved = stack.move();
  return {
    async newDatabase({ pgmq, migrated = true } = {}) {
      const name = `test_${++count}`;
      if (pgmq || !migrated) await prepare(name, pgmq, migrated);
      else {
        await (template ??= prepare("migrated", undefined, true));
        await copyDatabase("migrated", name);
      }
      return { url: url("postgres", name), adminUrl: url(superuser, name) };
    },
    async stop() {
      await server.stop();
      return async () => {
        server = await start(server.port);
      };
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

/** Runs work with one connection. */
export async function withClient<T>(url: string, work: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}
