import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "../support/client.ts";

/** A process with a state folder and one guarded child, which prints where they are. */
const owner = (path: string) => `
  import { openStateFolder } from "${import.meta.resolve("../../supabase/local/state/folder.ts")}";
  import { startWatchdog } from "${import.meta.resolve("../../supabase/local/parts/watchdog.ts")}";
  const folder = await openStateFolder(${path});
  const child = new Deno.Command("sleep", { args: ["600"] }).spawn();
  await startWatchdog(folder.path, folder.temporary)
    .guard({ name: "sleep", pid: child.pid, signal: "TERM" });
  console.log(JSON.stringify({ path: folder.path, child: child.pid }));
`;

async function killed(path: string): Promise<{ path: string; child: number }> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", owner(path)],
    stdout: "piped",
  }).spawn();
  const lines = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const told = JSON.parse((await lines.read()).value!);
  process.kill("SIGKILL");
  await process.status;
  await lines.cancel();
  return told;
}

const isThere = (path: string) => Deno.stat(path).then(() => true, () => false);
const lives = (pid: number) => {
  try {
    Deno.kill(pid, "SIGCONT");
    return true;
  } catch {
    return false;
  }
};

Deno.test("a killed process leaves neither its children nor its temporary folder", async () => {
  const { path, child } = await killed("undefined");
  await until("both are gone", 30, async () => !lives(child) && !await isThere(path));
});

Deno.test("a folder that was named stays when its process is killed", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const { path, child } = await killed(JSON.stringify(join(dir, "state")));
    await until("the child is gone", 30, () => Promise.resolve(!lives(child)));
    assert.ok(await isThere(path));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
