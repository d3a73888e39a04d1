/** The database of one state folder: made from the template when it is new, started, its URLs. */
import { join } from "node:path";
import postgres from "postgres";
import type { DatabaseLogin, StackKeys } from "../state/keys.ts";
import type { Watchdog } from "../state/watchdog.ts";
import { setPasswords } from "./bootstrap.ts";
import { runAs } from "./run_as.ts";
import { type PostgresServer, startPostgres, superuser } from "./server.ts";
import { copyTemplate, prepareTemplate } from "./template.ts";
import { preparePostgresTree } from "./tree.ts";

export interface Database {
  server: PostgresServer;
  /** Whether this start made it. */
  created: boolean;
  /** URL for a role that logs in. */
  url(login: DatabaseLogin): string;
}

/** Starts the database of a state folder. */
export async function startDatabase(
  { stateDir, cacheDir, keys, watchdog, preferredPort }: {
    stateDir: string;
    cacheDir: string;
    keys: StackKeys;
    watchdog: Watchdog;
    preferredPort?: number;
  },
): Promise<Database> {
  const folder = join(stateDir, "postgres");
  const dataDir = join(folder, "data");
  await Deno.mkdir(folder, { recursive: true });
  const as = await runAs([stateDir, cacheDir]);
  await as.own(folder);
  const tree = await preparePostgresTree(cacheDir);

  // Written when passwords are set: a start that was killed before that begins again.
  const marker = join(folder, "created");
  const created = !await Deno.stat(marker).then(() => true, () => false);
  let templatePassword = "";
  if (created) {
    const template = await prepareTemplate({ cacheDir, tree, as, watchdog });
    await Deno.remove(dataDir, { recursive: true }).catch(() => {});
    await copyTemplate(template, dataDir, as);
    templatePassword = template.password;
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
    await Deno.writeTextFile(marker, new Date().toISOString());
  }
  return { server, created, url: (login) => url(login, keys.passwords[login]) };
}
