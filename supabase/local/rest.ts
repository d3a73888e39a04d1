/** PostgREST over the embedded database, with hosted limits. */
import { join } from "node:path";
import { type ChildProcess, logTail, spawnLogged } from "./parts/child_process.ts";
import { freePort } from "./parts/free_port.ts";
import { findPostgrest } from "./parts/postgrest.ts";
import { postgrestMajor, versionSettings } from "./parts/postgrest_version.ts";
import { stackError } from "./parts/stack_error.ts";
import type { Watchdog } from "./parts/watchdog.ts";

export interface RestServer extends ChildProcess {
  /** Where it listens; only the gateway goes there. */
  url: string;
}

/**
 * Starts PostgREST and waits until its schema cache is loaded.
 *
 * @param databaseUrl of the role authenticator
 * @param jwtSecret HS256 secret of the tokens that the gateway makes
 * @throws part_missing | part_failed
 */
export async function startRest(
  { stateDir, cacheDir, databaseUrl, jwtSecret, watchdog }: {
    stateDir: string;
    cacheDir: string;
    databaseUrl: string;
    jwtSecret: string;
    watchdog: Watchdog;
  },
): Promise<RestServer> {
  const program = await findPostgrest({ cacheDir });
  const own = versionSettings(await postgrestMajor(program));
  const logFile = join(stateDir, "postgrest.log");
  const configFile = join(stateDir, "postgrest.conf");
  for (let tries = 0;; tries++) {
    const port = freePort();
    let adminPort = freePort();
    while (adminPort === port) adminPort = freePort();
    await Deno.writeTextFile(logFile, "", { mode: 0o600 });
    await Deno.writeTextFile(
      configFile,
      Object.entries({
        "db-uri": databaseUrl,
        "db-schemas": "public",
        "db-extra-search-path": "public, extensions",
        "db-anon-role": "anon",
        "db-pool": 10,
        "db-max-rows": 1000,
        "jwt-secret": jwtSecret,
        "server-host": "127.0.0.1",
        "server-port": port,
        "admin-server-port": adminPort,
        "log-level": "error",
        ...own.config,
      }).map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`).join(""),
      { mode: 0o600 },
    );
    const child = await spawnLogged({
      name: "postgrest",
      program,
      args: [configFile], // the path also tells the next start whose process this is
      env: own.env,
      logFile,
      signal: "TERM",
      watchdog,
    });
    if (await becomesReady(`http://127.0.0.1:${adminPort}/ready`, child)) {
      return Object.assign(child, { url: `http://127.0.0.1:${port}` });
    }
    await child.stop();
    const tail = await logTail(logFile);
    if (tries < 10 && /address (already )?in use/i.test(tail)) continue;
    throw stackError("part_failed", `PostgREST did not start:\n${tail}`, `Its log: ${logFile}`);
  }
}

async function becomesReady(url: string, child: ChildProcess): Promise<boolean> {
  const until = performance.now() + 180_000;
  while (performance.now() < until && !child.ended) {
    try {
      const response = await fetch(url);
      await response.body?.cancel();
      if (response.ok) return true;
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}
