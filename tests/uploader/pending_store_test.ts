import { strict as assert } from "node:assert";
import { mkdir, readdir, readFile, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { SedimentError } from "../../shared/errors.ts";
import { systemClock } from "../../shared/clock.ts";
import { diskMedium } from "../../shared/uploader/pending/media/disk_medium.ts";
import type { FileSystem } from "../../shared/uploader/pending/media/file_system.ts";
import { openFolderMedium } from "../../shared/uploader/pending/media/folder_medium.ts";
import { createSay, type LogEvent } from "../../shared/uploader/log.ts";
import { nodeFileSystem } from "../../shared/uploader/pending/media/node_file_system.ts";
import { isOwnerAlive, newOwner } from "../../shared/uploader/pending/media/owner.ts";
import type { Draft } from "../../shared/uploader/pending/pending_item.ts";
import { PendingStore } from "../../shared/uploader/pending/pending_store.ts";
import { checkSettings } from "../../shared/uploader/settings/check_settings.ts";
import type { UploaderSettingsInput } from "../../shared/uploader/settings/settings.ts";
import { checkMeta } from "../../shared/uploader/upload_meta.ts";
import { bytesOf, fragment, withFolder } from "./support/setup.ts";

const draft = (table = "battle"): Draft => ({
  targetUrl: "http://sediment.test/functions/v1/battle-data/upload",
  meta: checkMeta(fragment(table)),
});

async function withStore(
  settings: UploaderSettingsInput,
  test: (parts: {
    folder: string;
    store: PendingStore;
    log: LogEvent[];
    another(): Promise<PendingStore>;
  }) => Promise<void>,
) {
  await withFolder(async (folder) => {
    const log: LogEvent[] = [];
    const another = async () =>
      new PendingStore({
        medium: await diskMedium(folder),
        clock: systemClock,
        settings: checkSettings(settings),
        say: createSay((event) => log.push(event), Date.now),
      });
    await test({ folder, store: await another(), log, another });
  });
}

async function codeOf(action: Promise<unknown>): Promise<string> {
  try {
    await action;
  } catch (error) {
    assert.ok(error instanceof SedimentError, String(error));
    return error.code;
  }
  return "none";
}

Deno.test("the same table saved a hundred times at once is one pending item", async () => {
  await withStore({}, async ({ store, folder, another }) => {
    const stores = [store, await another(), await another()];
    const saves = Array.from({ length: 100 }, (_, i) => stores[i % 3].save(bytesOf(1), draft()));
    const outcomes = (await Promise.all(saves)).map((saved) => saved.status);
    assert.equal(outcomes.filter((status) => status === "saved").length, 1);
    assert.equal((await store.list()).length, 1);
    const files = (await readdir(folder)).filter((name) => name !== ".sediment");
    assert.equal(files.length, 2);
    assert.deepEqual(await readdir(`${folder}/.sediment/tmp`), []);
    const locks = await readdir(`${folder}/.sediment/locks`);
    assert.deepEqual(locks.filter((name) => !name.startsWith("idle.")), []);
  });
});

Deno.test("bytes, a blob and a stream of the same content are one item", async () => {
  await withStore({}, async ({ store }) => {
    const bytes = bytesOf(1, 3_000_000);
    const first = await store.save(new Blob([bytes]).stream(), draft());
    assert.equal(first.status, "saved");
    assert.equal((await store.save(bytes, draft())).status, "duplicate");
    assert.equal((await store.save(new Blob([bytes]), draft())).status, "duplicate");
    const kept = await store.bytes(first.item);
    assert.deepEqual(await kept.read(), bytes);
    assert.deepEqual(await kept.slice(10, 20), bytes.slice(10, 20));
  });
});

Deno.test("a save without bytes is refused and leaves nothing", async () => {
  await withStore({}, async ({ store, folder }) => {
    assert.equal(await codeOf(store.save(new Uint8Array(), draft())), "empty_file");
    assert.deepEqual(await readdir(folder), [".sediment"]);
    assert.deepEqual(await readdir(`${folder}/.sediment/tmp`), []);
  });
});

Deno.test("a source that fails half way leaves nothing", async () => {
  await withStore({}, async ({ store, folder }) => {
    async function* torn() {
      yield bytesOf(1);
      await Promise.resolve();
      throw new Error("the camera was unplugged");
    }
    assert.equal(await codeOf(store.save(torn(), draft())), "pending_unusable");
    assert.deepEqual(await readdir(folder), [".sediment"]);
    assert.deepEqual(await readdir(`${folder}/.sediment/tmp`), []);
  });
});

Deno.test("an attempt is on disk before the claim is given, and a second claim finds it taken", async () => {
  await withStore({}, async ({ store, folder, another }) => {
    const { item } = await store.save(bytesOf(1), draft());
    const claimed = await store.claim(item.id, 60_000);
    assert.equal(claimed?.attempt_count, 1);
    const record = JSON.parse(await readFile(`${folder}/${item.id}.json`, "utf8"));
    assert.deepEqual([record.state, record.attempt_count], ["sending", 1]);
    assert.equal(await store.claim(item.id, 60_000), null);
    assert.equal(await (await another()).claim(item.id, 60_000), null);
  });
});

Deno.test("of twenty claims at once from three stores one is given", async () => {
  await withStore({}, async ({ store, another }) => {
    const { item } = await store.save(bytesOf(1), draft());
    const stores = [store, await another(), await another()];
    const claims = await Promise.all(
      Array.from({ length: 20 }, (_, i) => stores[i % 3].claim(item.id, 60_000)),
    );
    assert.equal(claims.filter(Boolean).length, 1);
  });
});

Deno.test("a claim of a process that died goes back to waiting, with its attempt spent", async () => {
  await withStore({}, async ({ store, folder, log, another }) => {
    const { item } = await store.save(bytesOf(1), draft());
    await store.claim(item.id, 3_600_000);
    const path = `${folder}/${item.id}.json`;
    const record = JSON.parse(await readFile(path, "utf8"));
    // 4194304 is above Linux's largest process id, so nobody has it.
    record.claim.owner = record.claim.owner.replace(/-\d+-/, "-4194304-");
    await writeFile(path, JSON.stringify(record));
    const [after] = await (await another()).list();
    assert.deepEqual([after.state, after.attempt_count], ["waiting", 1]);
    assert.equal(log.at(-1)?.event, "recovered");
  });
});

Deno.test("the fifth claim that is lost is the item's end, so bytes that kill their sender stop", async () => {
  await withStore({}, async ({ store, folder, another }) => {
    const { item } = await store.save(bytesOf(1), draft());
    const path = `${folder}/${item.id}.json`;
    for (let crash = 1; crash <= 5; crash++) {
      await store.claim(item.id, 3_600_000);
      const record = JSON.parse(await readFile(path, "utf8"));
      record.claim.owner = record.claim.owner.replace(/-\d+-/, "-4194304-");
      await writeFile(path, JSON.stringify(record));
      const [after] = await (await another()).list();
      assert.equal(after.state, crash < 5 ? "waiting" : "dead");
    }
    assert.equal((await store.get(item.id))?.last_error?.code, "attempts_exhausted");
  });
});

Deno.test("a late word of a lost claim changes nothing unless it is an end", async () => {
  await withStore({}, async ({ store }) => {
    const { item } = await store.save(bytesOf(1), draft());
    const first = await store.claim(item.id, 60_000);
    await store.apply(item.id, "claim_lost");
    const second = await store.claim(item.id, 60_000);
    const late = { nonce: first!.claim!.nonce };
    for (const event of ["failed", "refused", "unreachable", "stopped", "exhausted"] as const) {
      assert.deepEqual(await store.apply(item.id, event, late), second, event);
    }
    assert.equal(await store.apply(item.id, "stored", late), null);
    assert.deepEqual(await store.list(), []);
  });
});

Deno.test("half pairs and torn records end as SPEC.md says", async () => {
  await withStore({}, async ({ store, folder, another }) => {
    const [lone, torn, whole] = await Promise.all(
      [1, 2, 3].map(async (seed) => (await store.save(bytesOf(seed), draft())).item.id),
    );
    await unlink(`${folder}/${lone}.bin`);
    await writeFile(`${folder}/${torn}.json`, '{"v":1,"id":');
    await rename(`${folder}/${whole}.json`, `${folder}/elsewhere.txt`); // bytes without a record
    const items = new Map((await (await another()).recover()).map((item) => [item.id, item]));
    assert.equal(items.get(lone)?.state, "dead");
    assert.equal(items.get(lone)?.last_error?.code, "bytes_missing");
    assert.equal(items.get(torn)?.state, "dead");
    assert.equal(items.get(torn)?.last_error?.code, "record_unreadable");
    assert.equal(items.has(whole), false);
    const files = await readdir(folder);
    assert.ok(files.includes(`${torn}.json.broken`) && files.includes(`${torn}.bin`));
    assert.ok(!files.includes(`${whole}.bin`));
    assert.equal((await store.bytes(items.get(torn)!)).size, 1000);
    // A second look finds nothing new to repair.
    assert.deepEqual(await store.list(), await (await another()).list());
  });
});

Deno.test("bytes that were changed are not given out", async () => {
  await withStore({}, async ({ store, folder }) => {
    const { item } = await store.save(bytesOf(1), draft());
    const path = `${folder}/${item.id}.bin`;
    const changed = bytesOf(1);
    changed[500] ^= 1;
    await writeFile(path, changed);
    assert.equal(await codeOf(store.bytes(item)), "bytes_changed");
    await writeFile(path, bytesOf(1).subarray(1));
    assert.equal(await codeOf(store.bytes(item)), "bytes_changed");
    await writeFile(path, bytesOf(1));
    assert.equal((await store.bytes(item)).size, 1000);
  });
});

Deno.test("a symbolic link in the place of bytes is not followed", async () => {
  await withStore({}, async ({ store, folder }) => {
    const { item } = await store.save(bytesOf(1), draft());
    const path = `${folder}/${item.id}.bin`;
    await writeFile(`${folder}/secret`, bytesOf(1));
    await unlink(path);
    await symlink(`${folder}/secret`, path);
    assert.equal(await codeOf(store.bytes(item)), "bytes_missing");
    assert.equal((await store.list())[0].state, "dead");
    assert.ok((await readdir(folder)).includes("secret"));
  });
});

Deno.test("foreign files, folders and records of a newer version are left as they are", async () => {
  await withStore({}, async ({ store, folder, log }) => {
    await store.save(bytesOf(1), draft());
    const newer = "f".repeat(32);
    const foreign = ["notes.txt", "photo.bin", "x.json", ".DS_Store", "desktop.ini", "ABC.JSON"];
    for (const name of foreign) await writeFile(`${folder}/${name}`, "mine");
    await mkdir(`${folder}/${"a".repeat(32)}.bin`);
    await writeFile(`${folder}/${newer}.json`, '{"v":7,"id":"new"}');
    await writeFile(`${folder}/${newer}.bin`, "bytes of the future");
    assert.equal((await store.recover()).length, 1);
    for (const name of foreign) assert.equal(await readFile(`${folder}/${name}`, "utf8"), "mine");
    assert.equal(await readFile(`${folder}/${newer}.json`, "utf8"), '{"v":7,"id":"new"}');
    assert.equal(await readFile(`${folder}/${newer}.bin`, "utf8"), "bytes of the future");
    const event = log.find((one) => one.event === "skipped_newer");
    assert.deepEqual([event?.id, event?.version], [newer, 7]);
  });
});

Deno.test("a full quota refuses the new item, says so, and keeps the old ones", async () => {
  await withStore({ pending: { quota_bytes: 2500 } }, async ({ store, folder, log }) => {
    await store.save(bytesOf(1), draft());
    await store.save(bytesOf(2), draft());
    assert.equal(await codeOf(store.save(bytesOf(3), draft())), "pending_full");
    assert.equal(await codeOf(store.save(bytesOf(4, 9000), draft())), "pending_full");
    assert.equal((await store.list()).length, 2);
    assert.deepEqual(await readdir(`${folder}/.sediment/tmp`), []);
    assert.equal(log.filter((event) => event.event === "full").length, 2);
    // What is there already is no new item.
    assert.equal((await store.save(bytesOf(2), draft())).status, "duplicate");
  });
});

Deno.test("a quota that drops the oldest drops dead ones first, and logs each", async () => {
  const pending = { quota_items: 3, when_full: "drop_oldest" as const };
  await withStore({ pending }, async ({ store, log }) => {
    const ids: string[] = [];
    for (const seed of [1, 2, 3]) ids.push((await store.save(bytesOf(seed), draft())).item.id);
    await store.apply(ids[1], "rejected", { error: { code: "not_parquet", message: "x" } });
    await store.save(bytesOf(4), draft());
    await store.save(bytesOf(5), draft());
    const dropped = log.filter((event) => event.event === "dropped");
    assert.deepEqual(dropped.map((event) => [event.id, event.was]), [
      [ids[1], "dead"],
      [ids[0], "waiting"],
    ]);
    assert.equal((await store.list()).length, 3);
  });
});

Deno.test("an item that has expired is saved anew; one that is dead is not", async () => {
  await withStore({}, async ({ store }) => {
    const one = (await store.save(bytesOf(1), draft())).item.id;
    const two = (await store.save(bytesOf(2), draft())).item.id;
    await store.apply(one, "ttl", { error: { code: "upload_expired", message: "x" } });
    await store.apply(two, "rejected", { error: { code: "not_parquet", message: "x" } });
    assert.equal((await store.save(bytesOf(1), draft())).status, "saved");
    assert.equal((await store.save(bytesOf(2), draft())).item.state, "dead");
    assert.equal((await store.get(one))?.state, "waiting");
  });
});

Deno.test("a folder that can't be made is an error that names it", async () => {
  await withFolder(async (folder) => {
    await writeFile(`${folder}/file`, "x");
    assert.equal(await codeOf(diskMedium(`${folder}/file/pending`)), "pending_unusable");
  });
});

/** A store whose disk answers some calls with a system error. */
async function faultyStore(folder: string, log: LogEvent[], faults: Partial<FileSystem>) {
  const medium = await openFolderMedium({
    path: folder,
    fs: { ...nodeFileSystem, ...faults },
    clock: systemClock,
    owner: newOwner(),
    isAlive: isOwnerAlive,
  });
  const say = createSay((event) => log.push(event), Date.now);
  return new PendingStore({ medium, clock: systemClock, settings: checkSettings({}), say });
}

const systemError = (code: string) =>
  Object.assign(new Error(`${code}: as the test asked`), { code });

Deno.test("a record that may not be read is logged and left, and the others go on", async () => {
  await withStore({}, async ({ store, folder, log }) => {
    const { item } = await store.save(bytesOf(1), draft());
    await store.save(bytesOf(2), draft());
    const faulty = await faultyStore(folder, log, {
      readTexts: async (paths) => {
        const texts = await nodeFileSystem.readTexts(paths);
        return texts.map((text, i) => paths[i].includes(item.id) ? systemError("EACCES") : text);
      },
    });
    assert.equal((await faulty.list()).length, 1);
    assert.ok(log.some((event) => event.event === "unreadable" && event.id === item.id));
    assert.equal((await store.list()).length, 2);
  });
});

Deno.test("a full disk refuses the save with pending_full and leaves nothing half done", async () => {
  await withStore({}, async ({ folder, log }) => {
    const faulty = await faultyStore(folder, log, {
      create: async (path) => {
        const file = await nodeFileSystem.create(path);
        const write = () => Promise.reject(systemError("ENOSPC"));
        return path.endsWith(".part") ? { ...file, write } : file;
      },
    });
    assert.equal(await codeOf(faulty.save(bytesOf(1), draft())), "pending_full");
    assert.deepEqual(await readdir(folder), [".sediment"]);
    assert.deepEqual(await readdir(`${folder}/.sediment/tmp`), []);
    assert.equal(log.filter((event) => event.event === "full").length, 1);
  });
});

Deno.test("with a full disk attempts are counted in memory, so that sending can free space and ends", async () => {
  await withStore({}, async ({ store, folder, log }) => {
    const { item } = await store.save(bytesOf(1), draft());
    const faulty = await faultyStore(folder, log, {
      create: (path) =>
        path.endsWith(".part")
          ? Promise.reject(systemError("ENOSPC"))
          : nodeFileSystem.create(path),
    });
    for (let attempt = 1; attempt <= 3; attempt++) {
      assert.equal((await faulty.claim(item.id, 1000))?.attempt_count, attempt);
      assert.equal(await faulty.claim(item.id, 1000), null);
      await faulty.apply(item.id, "failed", { error: { code: "connection_lost", message: "x" } });
      assert.equal((await faulty.list())[0].attempt_count, attempt);
    }
    await faulty.claim(item.id, 1000);
    assert.equal(await faulty.apply(item.id, "stored"), null);
    assert.deepEqual(await faulty.list(), []);
  });
});

Deno.test("a folder that can't be written is pending_unusable, and no attempt is made", async () => {
  await withStore({}, async ({ store, folder, log }) => {
    const { item } = await store.save(bytesOf(1), draft());
    const faulty = await faultyStore(folder, log, {
      create: () => Promise.reject(systemError("EROFS")),
    });
    assert.equal(await codeOf(faulty.claim(item.id, 1000)), "pending_unusable");
    assert.equal((await store.get(item.id))?.attempt_count, 0);
  });
});

Deno.test("unfinished saves of dead processes are swept, those of living ones are not", async () => {
  await withStore({}, async ({ store, folder, another }) => {
    const { item } = await store.save(bytesOf(1), draft());
    await store.claim(item.id, 1000);
    const owner = (await store.get(item.id))!.claim!.owner;
    const dead = owner.replace(/-\d+-/, "-4194304-");
    const tmp = `${folder}/.sediment/tmp`;
    await writeFile(`${tmp}/${dead}.0.part`, "half");
    await writeFile(`${tmp}/${owner}.99.part`, "half");
    await (await another()).recover();
    assert.deepEqual(await readdir(tmp), [`${owner}.99.part`]);
    await rm(`${tmp}/${owner}.99.part`);
  });
});
