/**
 * A Ceph of one monitor, one OSD in memory and one S3 gateway, for the S3 store's conformance where Ceph is
 * installed (Debian: `apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common`). No
 * manager: nothing here needs one.
 */
import { join } from "node:path";
import { quietPort } from "../support/quiet_port.ts";

/** A running gateway with one user. */
export interface RadosGateway {
  endpoint: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** Kills it and removes its folder: nothing in it is worth a clean end, which takes Ceph seconds. */
  stopNow(): void;
}

const tools = ["ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw"];
const clusterId = "11111111-2222-4333-8444-555555555555";
const osdId = "99999999-2222-4333-8444-555555555555";
const accessKeyId = "conformance";
const secretAccessKey = "conformance-secret";

/** Whether all of Ceph that is needed is on the PATH. */
export function hasRadosGateway(): boolean {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  return tools.every((tool) =>
    folders.some((folder) => {
      try {
        return Deno.statSync(join(folder, tool)).isFile;
      } catch {
        return false;
      }
    })
  );
}

/** Starts it all in a temporary folder; about 15 s. */
export async function startRadosGateway(): Promise<RadosGateway> {
  const folder = await Deno.makeTempDir({ prefix: "sediment-rgw-" });
  const daemons: Deno.ChildProcess[] = [];
  const stopNow = () => {
    for (const daemon of daemons) daemon.kill("SIGKILL");
    Deno.removeSync(folder, { recursive: true });
  };
  const config = join(folder, "ceph.conf");
  const monitorPort = quietPort();
  const gatewayPort = quietPort();
  const run = async (tool: string, ...args: string[]) => {
    const output = await new Deno.Command(tool, {
      args: ["-c", config, ...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal: AbortSignal.timeout(180_000),
    }).output();
    if (output.success) return;
    throw new Error(`${tool} ${args[0]}: ${new TextDecoder().decode(output.stderr)}`);
  };
  const start = (tool: string, ...args: string[]) => {
    daemons.push(
      new Deno.Command(tool, {
        args: ["-c", config, "-f", ...args],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn(),
    );
  };
  try {
    await Deno.writeTextFile(config, configuration(folder, monitorPort, gatewayPort));
    for (const name of ["mon", "osd", "rgw"]) await Deno.mkdir(join(folder, name));
    const keyring = join(folder, "keyring");
    const all = ["--cap", "mon", "allow *", "--cap", "osd", "allow *"];
    await run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", ...all);
    await run("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", ...all);
    await run("ceph-authtool", keyring, "--gen-key", "-n", "osd.0", ...all);
    const monitorMap = join(folder, "monmap");
    const address = `[v2:127.0.0.1:${monitorPort}]`;
    await run("monmaptool", "--create", "--fsid", clusterId, "--addv", "a", address, monitorMap);
    await run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monitorMap, "--keyring", keyring);
    start("ceph-mon", "-i", "a");
    await run("ceph", "osd", "new", osdId);
    await run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osdId);
    start("ceph-osd", "-i", "0");
    await run(
      "radosgw-admin",
      ...["user", "create", "--uid=conformance", "--display-name=conformance"],
      ...[`--access-key=${accessKeyId}`, `--secret-key=${secretAccessKey}`],
    );
    start("radosgw", "-n", "client.admin", "--keyring", keyring);
    const endpoint = `http://127.0.0.1:${gatewayPort}`;
    await answering(endpoint);
    return { endpoint, accessKeyId, secretAccessKey, stopNow };
  } catch (thrown) {
    stopNow();
    throw thrown;
  }
}

function configuration(folder: string, monitorPort: number, gatewayPort: number): string {
  return `[global]
fsid = ${clusterId}
keyring = ${folder}/keyring
mon host = v2:127.0.0.1:${monitorPort}
mon initial members = a
public network = 127.0.0.0/8
ms bind ipv6 = false
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
mon data avail warn = 1
osd objectstore = memstore
memstore device bytes = 1073741824
run dir = ${folder}
pid file =
admin socket = ${folder}/$name.$pid.asok
log file = ${folder}/$name.log
mon cluster log file = ${folder}/cluster.log
mon data = ${folder}/mon
osd data = ${folder}/osd
rgw data = ${folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:${gatewayPort}
rgw enable apis = s3
rgw thread pool size = 32
`;
}

async function answering(url: string): Promise<void> {
  for (let attempt = 0; attempt < 900; attempt++) {
    try {
      const answer = await fetch(url);
      await answer.body?.cancel();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  throw new Error(`the gateway at ${url} does not answer`);
}
