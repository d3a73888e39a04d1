/**
 * A PostgreSQL server for as long as a piece of work takes: in a temporary folder, bootstrapped as a hosted project
 * is before its first migration, with as many databases as are asked for.
 */
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { authSchemaSql } from "../auth.ts";
import { cacheFolder } from "../parts/cache_folder.ts";
import { openStateFolder } from "../state/folder.ts";
import { startWatchdog } from "../parts/watchdog.ts";
import { bootstrapDatabase } from "./bootstrap.ts";
import { runAs } from "./run_as.ts";
import { initCluster, startPostgres, superuser } from "./server.ts";
import { bootstrappedTemplate, copyCluster } from "./template.ts";
import { type PostgresTree, preparePostgresTree } from "./tree.ts";

export interface ScratchCluster extends AsyncDisposable {
  /** Of a role (postgres or the superuser) and a database. */
  url(login: "postgres" | typeof superuser, database: string): string;
  /**
   * Makes a database as a copy of another that nobody is connected to.
   *
   * @param from the bootstrapped one is called postgres
   */
  copyDatabase(from: string, name: string): Promise<void>;
  /** Stops the server; the function that is given starts it again, on its port. */
  stop(): Promise<() => Promise<void>>;
}

export interface ScratchOptions {
  /**
   * Makes the programs of another PostgreSQL, in a folder that is given, with the extensions of ours.
   *
   * @default the one of the embedded stack
   */
  otherTree?: (root: string, donor: PostgresTree) => Promise<PostgresTree>;
  /**
   * Folder that keeps the cluster: the next start on it goes on with it.
   *
   * @default a temporary one, which goes with the cluster
   */
  at?: string;
  /** PostgreSQL's settings that differ from the embedded stack's. */
  settings?: Record<string, string>;
}

/** Starts a cluster; disposing stops it, and removes its folder if that is a temporary one. */
export async function startScratchCluster(
  { otherTree, at, settings }: ScratchOptions = {},
): Promise<ScratchCluster> {
  await using stack = new AsyncDisposableStack();
  const folder = await openStateFolder(at);
  stack.defer(() => folder.close());
  const cacheDir = await cacheFolder(folder.path);
  const as = await runAs(folder.path, otherTree ? folder.path : cacheDir);
  const watchdog = startWatchdog(folder.path, folder.temporary);
  stack.defer(() => watchdog.close());
  const home = join(folder.path, "postgres");
  await Deno.mkdir(home, { recursive: true });
  await as.own(home);
  const dataDir = join(home, "data");
  // written when the cluster is there
  const passwordFile = join(folder.path, "password");

  let tree = await preparePostgresTree(cacheDir);
  let password = await Deno.readTextFile(passwordFile).catch(() => "");
  if (password) {
    // it was kept
  } else if (otherTree) {
    tree = await otherTree(join(home, "tree"), tree);
    password = crypto.randomUUID();
    await initCluster({ dataDir, password, tree, as });
  } else {
    const template = await bootstrappedTemplate({ cacheDir, tree, as, watchdog });
    password = template.password;
    await Deno.remove(dataDir, { recursive: true }).catch(() => {});
    await copyCluster(template, dataDir, as);
    if (at) await Deno.writeTextFile(passwordFile, password, { mode: 0o600 });
  }
  const start = (preferredPort?: number) =>
    startPostgres({
      dataDir,
      logFile: join(home, "postgres.log"),
      tree,
      as,
      watchdog,
      preferredPort,
      settings,
    });
  let server = await start();
  stack.defer(() => server.stop());
  const url: ScratchCluster["url"] = (login, database) =>
    `postgresql://${login}:${password}@127.0.0.1:${server.port}/${database}`;
  if (otherTree) {
    await withClient(url(superuser, "postgres"), async (sql) => {
      await bootstrapDatabase(sql, await authSchemaSql());
      await sql.unsafe(`alter role postgres password '${password}'`);
    });
  }
  const moved = stack.move();
  return {
    url,
    // template1 takes no part: its connection copies databases that nobody else is connected to
    copyDatabase: (from, name) =>
      withClient(url(superuser, "template1"), async (sql) => {
        await sql.unsafe(`create database ${name} template ${from} owner postgres`);
      }),
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
