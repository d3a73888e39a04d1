/** Applies the migrations with the real Supabase CLI, unmodified, as a deploy would. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Sql } from "postgres";
import { startEarlyListener } from "./parts/early_listener.ts";
import { stackError } from "./parts/stack_error.ts";
import { findSupabaseCli } from "./parts/supabase_cli.ts";

/** The migrations of this repository. */
export const repositoryMigrations = fileURLToPath(new URL("../migrations", import.meta.url));

/**
 * Runs `supabase db push`, or nothing when the database already holds every file's version.
 *
 * @param databaseUrl of the role postgres
 * @param sql any connection that can read supabase_migrations
 * @returns the versions that were applied
 * @throws part_failed with what the CLI said
 */
export async function applyMigrations(
  { migrationsDir, stateDir, databaseUrl, sql }: {
    migrationsDir: string;
    stateDir: string;
    databaseUrl: string;
    sql: Sql;
  },
): Promise<string[]> {
  const applied = await appliedVersions(sql);
  const files = await migrationFiles(migrationsDir);
  const pending = files.filter((file) => !applied.has(versionOf(file)));
  if (pending.length === 0) return [];
  const ours = new Set(files.map(versionOf));
  const others = [...applied].filter((version) => !ours.has(version));
  const push = await spawnPush({ migrationsDir, stateDir, databaseUrl, others });
  const { success, stdout, stderr } = await push.output();
  if (!success) {
    const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes).trim()).join("\n");
    throw stackError(
      "part_failed",
      `supabase db push failed:\n${said.trim()}`,
      `The migrations: ${migrationsDir}`,
    );
  }
  return pending.map(versionOf);
}

/** A push that has begun before there is a database. */
export interface EarlyPush {
  /** The database takes connections on this port now. */
  open(port: number): void;
  /** The versions that it has applied; none when it failed: applyMigrations then tries again and says why. */
  done: Promise<string[]>;
  /** Ends what still runs. */
  close(): Promise<void>;
}

/**
 * Starts the CLI for a new database while that is still being made: the CLI takes most of a second to load,
 * on another core, and then waits at the door.
 *
 * @param password that the role postgres will have
 */
export async function beginPush(
  { migrationsDir, stateDir, password }: {
    migrationsDir: string;
    stateDir: string;
    password: string;
  },
): Promise<EarlyPush> {
  const versions = (await migrationFiles(migrationsDir)).map(versionOf);
  const listener = startEarlyListener();
  const databaseUrl = `postgresql://postgres:${password}@127.0.0.1:${listener.port}/postgres`;
  const push = await spawnPush({ migrationsDir, stateDir, databaseUrl });
  const output = push.output();
  return {
    open: listener.open,
    done: output.then(({ success }) => success ? versions : []),
    async close() {
      listener.close();
      try {
        push.kill("SIGKILL");
      } catch {
        // It has ended long ago.
      }
      await output;
    },
  };
}

/** The files that the CLI takes: `<digits>_name.sql`, in order. */
export async function migrationFiles(folder: string): Promise<string[]> {
  const names = [];
  try {
    for await (const entry of Deno.readDir(folder)) {
      if (entry.isFile && /^\d+_.*\.sql$/.test(entry.name)) names.push(entry.name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}

/**
 * In a workdir of its own: the CLI writes into supabase/.temp, and into its home, whoever runs it.
 *
 * @param others versions of other apps that the database has: the CLI pushes nothing where it lacks a file of one
 */
async function spawnPush(
  { migrationsDir, stateDir, databaseUrl, others = [] }: {
    migrationsDir: string;
    stateDir: string;
    databaseUrl: string;
    others?: string[];
  },
): Promise<Deno.ChildProcess> {
  const workdir = join(stateDir, "cli");
  const target = join(workdir, "supabase", "migrations");
  await Deno.remove(workdir, { recursive: true }).catch(() => {});
  await Deno.mkdir(workdir, { mode: 0o700 });
  await Deno.mkdir(target, { recursive: true });
  await Deno.writeTextFile(join(workdir, "supabase", "config.toml"), 'project_id = "local"\n');
  for (const file of await migrationFiles(migrationsDir)) {
    await Deno.copyFile(join(migrationsDir, file), join(target, file));
  }
  for (const version of others) {
    await Deno.writeTextFile(join(target, `${version}_of_another_app.sql`), "");
  }
  // Everybody on this machine reads command lines; an environment is for its owner's eyes.
  const url = new URL(databaseUrl);
  const password = decodeURIComponent(url.password);
  url.password = "";
  url.searchParams.set("sslmode", "disable");
  return new Deno.Command(await findSupabaseCli(), {
    args: [
      ...["db", "push", "--db-url", url.href],
      ...["--workdir", workdir, "--include-all", "--skip-vault", "--yes", "--agent", "no"],
    ],
    cwd: workdir,
    env: {
      HOME: workdir,
      PGPASSWORD: password,
      DO_NOT_TRACK: "1",
      SUPABASE_TELEMETRY_DISABLED: "1",
      NO_COLOR: "1",
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true, // Ctrl-C is for us; a push that is cut off leaves no half migration either way
  }).spawn();
}

const versionOf = (file: string) => file.slice(0, file.indexOf("_"));

async function appliedVersions(sql: Sql): Promise<Set<string>> {
  const [{ known }] = await sql`
    select to_regclass('supabase_migrations.schema_migrations') is not null as known`;
  if (!known) return new Set();
  const rows = await sql`select version from supabase_migrations.schema_migrations`;
  return new Set(rows.map((row) => row.version as string));
}
