/** PgBouncer in transaction mode before a test's PostgreSQL, where it is installed (Debian: `apt-get install pgbouncer`). */
import { join } from "node:path";
import { quietPort } from "../support/quiet_port.ts";
import { eventually } from "../support/eventually.ts";

const program = "/usr/sbin/pgbouncer";

/** Whether it is installed. */
export function hasPgbouncer(): boolean {
  try {
    return Deno.statSync(program).isFile;
  } catch {
    return false;
  }
}

export interface Pgbouncer extends AsyncDisposable {
  /** The database's URL by way of it. */
  url: string;
}

/**
 * Starts one.
 *
 * @param databaseUrl where it connects to, with the login that it lets in
 * @param settings of pgbouncer.ini, beside those that it needs
 */
export async function startPgbouncer(
  databaseUrl: string,
  settings: Record<string, string | number> = {},
): Promise<Pgbouncer> {
  const url = new URL(databaseUrl);
  const target = url.port;
  url.port = String(quietPort());
  const folder = await Deno.makeTempDir({ prefix: "sediment-pgbouncer-" });
  const [config, users] = [join(folder, "pgbouncer.ini"), join(folder, "users.txt")];
  await Deno.writeTextFile(users, `"${url.username}" "${url.password}"\n`);
  const lines = Object.entries({
    listen_addr: "127.0.0.1",
    listen_port: url.port,
    unix_socket_dir: "",
    auth_type: "scram-sha-256",
    auth_file: users,
    pool_mode: "transaction",
    ...settings,
  }).map(([name, value]) => `${name} = ${value}`);
  const databases = `[databases]\n* = host=127.0.0.1 port=${target}\n`;
  await Deno.writeTextFile(config, `${databases}[pgbouncer]\n${lines.join("\n")}\n`);
  // It refuses to run as root; nobody is 65534 on Linux.
  const user = Deno.uid() === 0 ? { uid: 65534, gid: 65534 } : {};
  for (const path of [folder, config, users]) {
    if (user.uid) await Deno.chown(path, user.uid, user.gid);
  }
  const child = new Deno.Command(program, {
    args: ["--quiet", config],
    ...user,
    cwd: "/",
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const stop = async () => {
    child.kill("SIGKILL");
    await child.status;
    await Deno.remove(folder, { recursive: true });
  };
  try {
    await eventually("PgBouncer", async () => {
      const port = Number(url.port);
      const found = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => null);
      found?.close();
      return found !== null;
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: url.href, [Symbol.asyncDispose]: stop };
}
