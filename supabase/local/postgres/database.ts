/** The database of one state folder: made from the template when it is new, started, its URLs. */
import { join } from "node:path";
import postgres from "postgres";
import type { DatabaseLogin, StackKeys } from "../state/keys.ts";
import type { Watchdog } from "../parts/watchdog.ts";
import { setPasswords } from "./bootstrap.ts";
import { runAs } from "./run_as.ts";
import { type PostgresServer, startPostgres, superuser } from "./server.ts";
import { bootstrappedTemplate, copyCluster, migratedTemplate } from "./template.ts";
import { preparePostgresTree } from "./tree.ts";

export interface Database {
  server: PostgresServer;
  /** Versions of the migrations that it came with, out of the cache. */
  migrated: string[];
  /** URL for a role that logs in. */
  url(login: DatabaseLogin): string;
}

/** Written when the passwords are set: a start that was killed before that begins again. */
const markerOf = (stateDir: string) => join(stateDir, "postgres", "created");

/** Whether a start on this folder will make a new database. */
export async function isNewDatabase(stateDir: string): Promise<boolean> {
  return !await Deno.stat(markerOf(stateDir)).then(() => true, () => false);
}

/**
 * Starts the database of a state folder.
 *
 * @param migrationsDir when given, a new database comes with these migrations applied
 */
export async function startDatabase(
  { stateDir, cacheDir, keys, watchdog, preferredPort, migrationsDir }: {
    stateDir: string;
    cacheDir: string;
    keys: StackKeys;
    watchdog: Watchdog;
    preferredPort?: number;
    migrationsDir?: string;
  },
): Promise<Database> {
  const folder = join(stateDir, "postgres");
  const dataDir = join(folder, "data");
  await Deno.mkdir(folder, { recursive: true });
  await Deno.chmod(folder, 0o700);
  const as = await runAs(stateDir, cacheDir);
  await as.own(folder);
  const tree = await preparePostgresTree(cacheDir);

  const created = await isNewDatabase(stateDir);
  let templatePassword = "";
  let migrated: string[] = [];
  if (created) {
    const options = { cacheDir, tree, as, watchdog };
    const template = migrationsDir
      ? await migratedTemplate(options, migrationsDir)
      : await bootstrappedTemplate(options);
    await Deno.remove(dataDir, { recursive: true }).catch(() => {});
    await copyCluster(template, dataDir, as);
    templatePassword = template.password;
    if ("versions" in template) migrated = template.versions as string[];
  }
  const server = await startPostgres({
    dataDir,
    logFile: join(folder, "postgres.log"),
    tree,
    as,
    watchdog,
    preferredPort,
  });
  const url = (login: string, password: string) =>
    `postgresql://${login}:${password}@127.0.0.1:${server.port}/postgres`;
  if (created) {
    const sql = postgres(url(superuser, templatePassword), { max: 1, onnotice: () => {} });
    try {
      await setPasswords(sql, keys.passwords);
    } finally {
      await sql.end({ timeout: 2 });
    }
    await Deno.writeTextFile(markerOf(stateDir), new Date().toISOString(), { mode: 0o600 });
  }
  return { server, migrated, url: (login) => url(login, keys.passwords[login]) };
}
