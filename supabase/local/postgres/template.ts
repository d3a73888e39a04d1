/**
 * Clusters to copy, kept in the cache. The first layer is a cluster after initdb and bootstrap.sql: a new state
 * folder is then a copy (0.05 s) instead of an initdb (0.7 s of CPU). The second, for stacks that live only as
 * long as a test, is that cluster after `supabase db push` of exactly these migrations (1.5 s of CPU).
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import postgres, { type Sql } from "postgres";
import { authSchemaSql } from "../auth.ts";
import { applyMigrations, migrationFiles } from "../migrate.ts";
import { keepNewest, touch } from "../parts/cache_folder.ts";
import { stackError } from "../parts/stack_error.ts";
import type { Watchdog } from "../parts/watchdog.ts";
import { bootstrapDatabase, bootstrapFiles } from "./bootstrap.ts";
import type { RunAs } from "./run_as.ts";
import { initCluster, startPostgres, superuser } from "./server.ts";
import type { PostgresTree } from "./tree.ts";

export interface ClusterTemplate {
  /** The data folder to copy; nothing runs on it. */
  dataDir: string;
  /** Names what is in it. */
  digest: string;
  /** Password of supabase_admin and postgres, until the copy gets its own. */
  password: string;
}

export interface TemplateOptions {
  cacheDir: string;
  tree: PostgresTree;
  as: RunAs;
  watchdog: Watchdog;
}

/** How many migrated clusters are kept (45 MB each): every edit of a migration makes a new one. */
const keptMigrated = 4;

/** Finds or builds the cluster after initdb and bootstrap. */
export async function bootstrappedTemplate(options: TemplateOptions): Promise<ClusterTemplate> {
  const authSchema = await authSchemaSql();
  const hash = createHash("sha256").update(`bootstrapped 2\n${options.tree.digest}\n${authSchema}`);
  for (const file of bootstrapFiles) hash.update(await Deno.readFile(fileURLToPath(file)));
  // Another user's files are of no use to PostgreSQL.
  hash.update(`uid ${options.as.uid ?? "own"}`);
  const digest = hash.digest("hex").slice(0, 16);
  return await findOrBuild("cluster", digest, options, async (draft, dataDir) => {
    const password = crypto.randomUUID();
    await initCluster({ ...options, dataDir, password });
    await withServer({ draft, dataDir, password, ...options }, async (sql) => {
      await bootstrapDatabase(sql, authSchema);
      await sql.unsafe(`alter role postgres password '${password}'`);
    });
    return password;
  });
}

/** Finds or builds the cluster after the migrations of a folder as well. */
export async function migratedTemplate(
  options: TemplateOptions,
  migrationsDir: string,
): Promise<ClusterTemplate & { versions: string[] }> {
  const base = await bootstrappedTemplate(options);
  const files = new Map<string, Uint8Array>();
  for (const name of await migrationFiles(migrationsDir)) {
    files.set(name, await Deno.readFile(join(migrationsDir, name)));
  }
  const hash = createHash("sha256").update(`migrated 2\n${base.digest}\n`);
  for (const [name, bytes] of files) hash.update(`${name} ${bytes.length}\n`).update(bytes);
  const digest = hash.digest("hex").slice(0, 16);
  const template = await findOrBuild("migrated", digest, options, async (draft, dataDir) => {
    await copyCluster(base, dataDir, options.as);
    // The bytes that were hashed, whatever happens to the folder meanwhile.
    const copies = join(draft, "migrations");
    await Deno.mkdir(copies);
    for (const [name, bytes] of files) await Deno.writeFile(join(copies, name), bytes);
    const { password } = base;
    await withServer({ draft, dataDir, password, ...options }, async (sql, port) => {
      const databaseUrl = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
      await applyMigrations({ migrationsDir: copies, stateDir: draft, databaseUrl, sql });
    });
    await keepNewest(options.cacheDir, "migrated-", keptMigrated - 1);
    return password;
  });
  return { ...template, versions: [...files.keys()].map((name) => name.split("_", 1)[0]) };
}

/** Copies a template to a new data folder, owned by the user that PostgreSQL runs as. */
export async function copyCluster(
  template: ClusterTemplate,
  dataDir: string,
  as: RunAs,
): Promise<void> {
  const { success, stderr } = await as.command("cp", ["-R", template.dataDir, dataDir], {
    cwd: "/",
  }).output();
  if (!success) {
    throw stackError(
      "part_failed",
      `the database template could not be copied: ${new TextDecoder().decode(stderr).trim()}`,
      `Is the disk of ${dataDir} full?`,
    );
  }
  await Deno.chmod(dataDir, 0o700);
}

async function findOrBuild(
  kind: string,
  digest: string,
  { cacheDir, as }: TemplateOptions,
  build: (draft: string, dataDir: string) => Promise<string>,
): Promise<ClusterTemplate> {
  const root = join(cacheDir, `${kind}-${digest}`);
  const template = async () => ({
    dataDir: join(root, "data"),
    digest,
    password: await Deno.readTextFile(join(root, "password")),
  });
  if (await touch(root)) return await template();
  const draft = await Deno.makeTempDir({ dir: cacheDir, prefix: "building-" });
  try {
    await Deno.chmod(draft, 0o711);
    const folder = join(draft, "postgres");
    await Deno.mkdir(folder);
    await as.own(folder);
    const password = await build(draft, join(folder, "data"));
    await Deno.rename(join(folder, "data"), join(draft, "data"));
    await Deno.writeTextFile(join(draft, "password"), password, { mode: 0o600 });
    await Deno.rename(draft, root);
  } catch (error) {
    await Deno.remove(draft, { recursive: true }).catch(() => {});
    // Another process may have been faster; if not, the error is the real one.
    return await template().catch(() => Promise.reject(error));
  }
  return await template();
}

/** Runs PostgreSQL on a cluster for as long as the work takes. */
async function withServer(
  options: TemplateOptions & { draft: string; dataDir: string; password: string },
  work: (sql: Sql, port: number) => Promise<void>,
): Promise<void> {
  const { draft, dataDir, password } = options;
  const logFile = join(draft, "postgres.log");
  const server = await startPostgres({ ...options, dataDir, logFile });
  const sql = postgres(`postgres://${superuser}:${password}@127.0.0.1:${server.port}/postgres`, {
    max: 1,
    onnotice: () => {},
  });
  try {
    await work(sql, server.port);
  } catch (cause) {
    if (!(cause instanceof postgres.PostgresError)) throw cause;
    throw stackError(
      "part_failed",
      `bootstrap failed: ${cause.message}`,
      "See supabase/local/postgres/bootstrap.sql",
      cause,
    );
  } finally {
    await sql.end({ timeout: 2 });
    await server.stop();
  }
}
