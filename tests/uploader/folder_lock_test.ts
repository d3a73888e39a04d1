import { strict as assert } from "node:assert";
import { mkdir, readdir, readFile, unlink, writeFile } from "node:fs/promises";
import { FolderLocks } from "../../shared/uploader/pending/media/folder_lock.ts";
import { nodeFileSystem } from "../../shared/uploader/pending/media/node_file_system.ts";
import { isOwnerAlive, newOwner } from "../../shared/uploader/pending/media/owner.ts";
import { systemClock } from "../../shared/clock.ts";
import { withFolder } from "./support/setup.ts";

function locksIn(path: string, owner = newOwner()): FolderLocks {
  return new FolderLocks({
    fs: nodeFileSystem,
    clock: systemClock,
    path,
    owner,
    isAlive: isOwnerAlive,
  });
}

Deno.test("four processes that count under the lock lose no count", async () => {
  await withFolder(async (folder) => {
    await mkdir(`${folder}/locks`);
    await writeFile(`${folder}/count`, "0");
    const rounds = 40;
    const child = new URL("./support/count_under_lock.ts", import.meta.url).pathname;
    const children = Array.from({ length: 4 }, () =>
      new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", child, folder, String(rounds)],
        stderr: "inherit",
      }).output());
    for (const { success } of await Promise.all(children)) assert.ok(success);
    assert.equal(await readFile(`${folder}/count`, "utf8"), String(4 * rounds));
    assert.deepEqual(await readdir(`${folder}/locks`), [], "each process tidies up at its close");
  });
});

Deno.test("processes of two containers on one folder, of the same host name, lose no count", async () => {
  const inContainer = ["--pid", "--fork", "--mount-proc", Deno.execPath()];
  const probe = await new Deno.Command("unshare", { args: [...inContainer, "--version"] })
    .output().catch(() => null);
  if (!probe?.success) return console.log("skipped: unshare can't make a PID namespace here");
  await withFolder(async (folder) => {
    await mkdir(`${folder}/locks`);
    await writeFile(`${folder}/count`, "0");
    const child = new URL("./support/count_under_lock.ts", import.meta.url).pathname;
    const args = ["run", "-A", "--no-check", child, folder, "40"];
    const children = [
      new Deno.Command("unshare", { args: [...inContainer, ...args] }),
      new Deno.Command("unshare", { args: [...inContainer, ...args] }),
      new Deno.Command(Deno.execPath(), { args }),
    ].map((command) => command.output());
    for (const { success } of await Promise.all(children)) assert.ok(success);
    assert.equal(await readFile(`${folder}/count`, "utf8"), "120");
  });
});

Deno.test("a lock that is held is not given a second time, and is after its release", async () => {
  await withFolder(async (folder) => {
    const one = locksIn(folder), two = locksIn(folder);
    const held = await one.acquire("store");
    assert.equal(await two.acquire("store", { wait: false }), null);
    assert.equal(await one.acquire("store", { wait: false }), null);
    const other = await two.acquire("other", { wait: false });
    assert.ok(other);
    await other.release();
    await held!.release();
    await held!.release(); // twice is no harm
    const next = await two.acquire("store", { wait: false });
    assert.ok(next);
    await next.release();
  });
});

Deno.test("the lock of a process that died is taken over at once", async () => {
  await withFolder(async (folder) => {
    const owner = newOwner();
    // Above Linux's largest process id; and one with our process id that isn't ours (a container's 1).
    for (const dead of [owner.replace(/-\d+-/, "-4194304-"), `${owner.slice(0, -8)}00000000`]) {
      await writeFile(`${folder}/store.${dead}.0.lock`, "");
      const lock = await locksIn(folder).acquire("store", { wait: false });
      assert.ok(lock, dead);
      await lock.release();
    }
    assert.deepEqual((await readdir(folder)).filter((name) => !name.startsWith("idle.")), []);
  });
});

Deno.test("a lock of another host is taken over only when it was not touched for 30 s of our own time", async () => {
  await withFolder(async (folder) => {
    await writeFile(`${folder}/store.ffffffff-1-00000000.0.lock`, "");
    let elapsed = 0;
    const locks = new FolderLocks({
      fs: nodeFileSystem,
      clock: {
        ...systemClock,
        monotonic: () => elapsed,
        sleep: () => Promise.resolve(),
      },
      path: folder,
      owner: newOwner(),
      isAlive: isOwnerAlive,
    });
    assert.equal(await locks.acquire("store", { wait: false }), null);
    elapsed = 29_000;
    assert.equal(await locks.acquire("store", { wait: false }), null);
    await nodeFileSystem.touch(`${folder}/store.ffffffff-1-00000000.0.lock`);
    elapsed = 31_000;
    assert.equal(await locks.acquire("store", { wait: false }), null);
    elapsed = 62_000;
    // Held: its own touches come by the clock of the test, which never sleeps; release at once.
    const lock = await locks.acquire("store", { wait: false });
    assert.ok(lock);
    await lock.release();
  });
});

Deno.test("idle files of the dead are swept, and one that was swept from under a living process is made anew", async () => {
  await withFolder(async (folder) => {
    const locks = locksIn(folder);
    await (await locks.acquire("store"))!.release();
    const [mine] = await readdir(folder);
    await writeFile(`${folder}/${mine.replace(/-\d+-/, "-4194304-")}`, "");
    await locks.sweep();
    assert.deepEqual(await readdir(folder), [mine]);
    await unlink(`${folder}/${mine}`);
    const again = await locks.acquire("store", { wait: false });
    assert.ok(again);
    await again.release();
    await locks.close();
    assert.deepEqual(await readdir(folder), []);
  });
});

Deno.test("a wait for a lock ends with its signal", async () => {
  await withFolder(async (folder) => {
    const held = await locksIn(folder).acquire("store");
    const controller = new AbortController();
    const waiting = locksIn(folder).acquire("store", { signal: controller.signal });
    controller.abort();
    assert.equal(await waiting, null);
    await held!.release();
  });
});
