/** One PostgreSQL server over one data folder: init, start, stop. */
import { join } from "node:path";
import { stackError } from "../parts/stack_error.ts";
import { freePort } from "../parts/free_port.ts";
import { type ChildProcess, logTail, spawnLogged } from "../parts/child_process.ts";
import type { Watchdog } from "../parts/watchdog.ts";
import type { RunAs } from "./run_as.ts";
import type { PostgresTree } from "./tree.ts";

export interface PostgresServer extends ChildProcess {
  port: number;
}

/** Superuser of the cluster, as hosted. */
export const superuser = "supabase_admin";

/**
 * Settings. `fsync` and `full_page_writes` only matter when the operating system or the power fails: what a
 * killed server wrote is in the kernel's cache. `synchronous_commit` stays on: without it a killed server
 * loses commits that it has confirmed.
 */
const settings: Record<string, string> = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  shared_buffers: "32MB",
  max_connections: "100",
  wal_level: "minimal",
  max_wal_senders: "0",
  min_wal_size: "32MB",
  max_wal_size: "256MB",
  fsync: "off",
  full_page_writes: "off",
  jit: "off",
  timezone: "UTC",
  log_timezone: "UTC",
  log_line_prefix: "%m [%p] %u ",
  max_logical_replication_workers: "0",
};

/** Makes a new cluster with the superuser's password, in ICU en-US as hosted. */
export async function initCluster(
  { dataDir, password, tree, as }: {
    dataDir: string;
    password: string;
    tree: PostgresTree;
    as: RunAs;
  },
): Promise<void> {
  await Deno.mkdir(dataDir, { mode: 0o700 });
  await as.own(dataDir);
  const passwordFile = `${dataDir}.password`;
  await Deno.writeTextFile(passwordFile, password, { mode: 0o600 });
  await as.own(passwordFile);
  try {
    const { success, stderr } = await as.command(join(tree.root, "bin", "initdb"), [
      ...["-D", dataDir, "-U", superuser, "--encoding=UTF8", "--locale=C"],
      ...["--locale-provider=icu", "--icu-locale=en-US"],
      ...["--auth=scram-sha-256", `--pwfile=${passwordFile}`, "--no-sync", "--no-instructions"],
      "--wal-segsize=4", // MB: copies of a new cluster are 12 MB smaller
    ], { env: { ...tree.env, TZ: "UTC", LC_ALL: "C" }, stdout: "null", cwd: "/" }).output();
    if (!success) {
      const said = new TextDecoder().decode(stderr).trim();
      const remedy = /effective user ID/.test(said)
        ? "PostgreSQL needs its user in /etc/passwd: run as a user who is there, or as root."
        : "The npm build of PostgreSQL needs glibc on Linux; see supabase/local/README.md.";
      throw stackError("part_failed", `initdb failed: ${said}`, remedy);
    }
  } finally {
    await Deno.remove(passwordFile);
  }
}

/**
 * Starts the server on a free port and waits until it takes connections.
 *
 * @param options.settings that differ from the above
 * @throws part_failed with the end of its log
 */
export async function startPostgres(
  { dataDir, logFile, tree, as, watchdog, preferredPort, settings: others }: {
    dataDir: string;
    logFile: string;
    tree: PostgresTree;
    as: RunAs;
    watchdog: Watchdog;
    preferredPort?: number;
    settings?: Record<string, string>;
  },
): Promise<PostgresServer> {
  let tries = 0;
  while (true) {
    const port = freePort(tries === 0 ? preferredPort : undefined);
    // statements that failed are in it, with what they were given
    await Deno.writeTextFile(logFile, "", { mode: 0o600 });
    await as.own(logFile);
    const args = Object.entries({ ...settings, ...others, port: String(port) })
      .flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const child = await spawnLogged({
      name: "postgres",
      command: (program, args, options) => as.command(program, args, options),
      program: join(tree.root, "bin", "postgres"),
      args: ["-D", dataDir, ...args],
      env: tree.env,
      logFile,
      signal: "INT",
      watchdog,
    });
    if (await becomesReady(dataDir, child)) return Object.assign(child, { port });
    const tail = await logTail(logFile);
    // The port was taken in between; or backends of a killed server are still on their way out.
    const passing = /could not bind|could not create any TCP|still in use|lock file .* exists/i;
    if (++tries >= 20 || !passing.test(tail)) {
      throw stackError("part_failed", `PostgreSQL did not start:\n${tail}`, `Its log: ${logFile}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** As pg_ctl does it: the eighth line of postmaster.pid says when connections are taken. */
async function becomesReady(dataDir: string, child: ChildProcess): Promise<boolean> {
  const until = performance.now() + 180_000;
  while (performance.now() < until) {
    if (child.ended) return false;
    const text = await Deno.readTextFile(join(dataDir, "postmaster.pid")).catch(() => "");
    const lines = text.split("\n");
    if (Number(lines[0]) === child.pid && lines[7]?.trim() === "ready") return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await child.stop();
  return false;
}
