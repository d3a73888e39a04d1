/**
 * A PostgreSQL server for the tests of one module that open Storage stand-ins, and a database of its own for each of
 * them. Starts before the module's first test: import it from test modules only.
 */

import postgres from "postgres";

import { cacheFolder } from "../../supabase/local/parts/cache_folder.ts";
import { startDatabase } from "../../supabase/local/postgres/database.ts";
import { loadKeys } from "../../supabase/local/state/keys.ts";
import { startWatchdog } from "../../supabase/local/parts/watchdog.ts";

interface Server {
  /** A database as a hosted project has it before its first migration; its URL for a role. */
  createDatabase(): Promise<(login: "supabase_storage_admin" | "postgres") => string>;
  stop(): Promise<void>;
}

let server: Server | undefined;

Deno.test.beforeAll(async () => {
  server = await startServer();
});
Deno.test.afterAll(async () => {
  await server?.stop();
});

/** Makes a database that holds one private bucket, `sediment`. */
export async function createStandInDatabase() {
  const urlOf = await server!.createDatabase();
  const sql = postgres(urlOf("postgres"), { max: 1, onnotice: () => {} });
  try {
    await sql`insert into storage.buckets (id, name, public) values ('sediment', 'sediment', false)`;
  } finally {
    await sql.end();
  }
  return urlOf;
}

async function startServer(): Promise<Server> {
  const stateDir = await Deno.makeTempDir({ prefix: "sediment-storage-db-" });
  await Deno.chmod(stateDir, 0o711);
  const keys = await loadKeys(stateDir);
  const watchdog = startWatchdog(stateDir, true);
  const database = await startDatabase({
    stateDir,
    cacheDir: await cacheFolder(stateDir),
    keys,
    watchdog,
  });
  // From template1: a database that is copied may have no sessions.
  const admin = postgres(database.url("supabase_admin").replace(/postgres$/, "template1"), {
    max: 1,
    onnotice: () => {},
  });
  let made = 0;
  return {
    async createDatabase() {
      const name = `stand_in_${++made}`;
      await admin.unsafe(
        `create database ${name} template postgres strategy file_copy owner postgres`,
      );
      await admin.unsafe(`grant create on database ${name} to supabase_storage_admin`);
      return (login) => database.url(login).replace(/postgres$/, name);
    },
    async stop() {
      await admin.end({ timeout: 2 });
      await database.server.stop();
      await watchdog.close();
    },
  };
}
