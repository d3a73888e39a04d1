/**
 * A cluster as it is after initdb and bootstrap.sql, kept in the cache: a new state folder is then a copy
 * (0.05 s) instead of an initdb (0.7 s of CPU), which tests that start many stacks feel.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { authSchemaSql } from "../auth.ts";
import { touch } from "../parts/cache_folder.ts";
import { stackError } from "../parts/stack_error.ts";
import type { Watchdog } from "../state/watchdog.ts";
import { bootstrapDatabase, bootstrapFiles } from "./bootstrap.ts";
import type { RunAs } from "./run_as.ts";
import { initCluster, startPostgres, superuser } from "./server.ts";
import type { PostgresTree } from "./tree.ts";

export interface ClusterTemplate {
  /** The data folder to copy; nothing runs on it. */
  dataDir: string;
  /** Password of its superuser, until the copy gets its own. */
  password: string;
}

interface TemplateOptions {
  cacheDir: string;
  tree: PostgresTree;
  as: RunAs;
  watchdog: Watchdog;
}

/** Finds or builds the template of this tree and this bootstrap. */
export async function prepareTemplate(options: TemplateOptions): Promise<ClusterTemplate> {
  const authSchema = await authSchemaSql();
  const hash = createHash("sha256").update(`template 1\n${options.tree.digest}\n${authSchema}`);
  for (const file of bootstrapFiles) hash.update(await Deno.readFile(fileURLToPath(file)));
  // Another user's files are of no use to PostgreSQL.
  hash.update(`uid ${options.as.uid ?? "own"}`);
  const root = join(options.cacheDir, `cluster-${hash.digest("hex").slice(0, 16)}`);
  const template = async () => ({
    dataDir: join(root, "data"),
    password: await Deno.readTextFile(join(root, "password")),
  });
  if (await touch(root)) return await template();
  const draft = await Deno.makeTempDir({ dir: options.cacheDir, prefix: "building-" });
  try {
    await build(draft, authSchema, options);
    await Deno.rename(draft, root);
  } catch (error) {
    await Deno.remove(draft, { recursive: true }).catch(() => {});
    // Another process may have been faster; if not, the error is the real one.
    return await template().catch(() => Promise.reject(error));
  }
  return await template();
}

async function build(draft: string, authSchema: string, options: TemplateOptions) {
  await Deno.chmod(draft, 0o711);
  const password = crypto.randomUUID();
  const dataDir = join(draft, "data");
  await initCluster({ ...options, dataDir, password });
  const server = await startPostgres({
    ...options,
    dataDir,
    logFile: join(draft, "build.log"),
  });
  const sql = postgres(`postgres://${superuser}:${password}@127.0.0.1:${server.port}/postgres`, {
    max: 1,
    onnotice: () => {},
  });
  try {
    await bootstrapDatabase(sql, authSchema);
  } catch (cause) {
    throw stackError(
      "part_failed",
      `bootstrap failed: ${(cause as Error).message}`,
      "See supabase/local/postgres/bootstrap.sql",
      cause,
    );
  } finally {
    await sql.end({ timeout: 2 });
    await server.stop();
  }
  await Deno.writeTextFile(join(draft, "password"), password, { mode: 0o600 });
}

/** Copies the template to a new data folder, owned by the user that PostgreSQL runs as. */
export async function copyTemplate(
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
