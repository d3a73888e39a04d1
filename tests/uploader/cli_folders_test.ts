/** What is pending belongs to a server and a user, wherever the command line stands. */
import { strict as assert } from "node:assert";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { adoptItems } from "../../shared/uploader/pending/adopt_items.ts";
import { diskMedium } from "../../shared/uploader/pending/media/disk_medium.ts";
import type { PendingMedium } from "../../shared/uploader/pending/pending_medium.ts";
import { tokenSession } from "../../shared/uploader/session/session.ts";
import { createUploader } from "../../shared/uploader/uploader.ts";
import { sediment } from "./support/cli.ts";
import { startHttpService } from "./support/http_service.ts";
import { bytesOf, datasetId, fragment, tokenOf, withFolder } from "./support/setup.ts";

const ids = {
  ann: "0a000000-0000-4000-8000-000000000001",
  bob: "0b000000-0000-4000-8000-000000000002",
};

async function withTwo(
  test: (parts: {
    folder: string;
    http: Awaited<ReturnType<typeof startHttpService>>;
    /** Runs the CLI as a user, or as nobody, in a folder below. */
    as(user: "ann" | "bob" | null, where: string, ...args: string[]): ReturnType<typeof sediment>;
    usersOf(): string[];
  }) => Promise<void>,
): Promise<void> {
  const userOf = (token: string) => JSON.parse(atob(token.split(".")[1])).sub;
  const http = await startHttpService({ userOf });
  await withFolder(async (folder) => {
    try {
      for (const where of ["one", "two"]) await mkdir(join(folder, where));
      for (let i = 0; i < 3; i++) await writeFile(join(folder, `one/${i}.parquet`), bytesOf(i));
      await test({
        folder,
        http,
        as: (user, where, ...args) =>
          sediment(join(folder, where), args, {
            SEDIMENT_DATA: join(folder, "data"),
            SEDIMENT_URL: http.service.origin,
            SEDIMENT_KEY: "k",
            ...(user ? { SEDIMENT_TOKEN: tokenOf(ids[user]) } : {}),
          }),
        usersOf: () => [...http.service.stored.values()].map(({ user }) => user),
      });
    } finally {
      await http.stop();
    }
  });
}

const save = (name: string) => [
  "push",
  `${name}.parquet`,
  "--dataset",
  datasetId,
  "--table",
  "t",
  "--no-send",
];

Deno.test("one user's pending uploads are found from anywhere, and sent as nobody else", async () => {
  await withTwo(async ({ as, usersOf }) => {
    assert.equal((await as("ann", "one", ...save("0"))).code, 3);
    const bob = await as("bob", "two", "retry");
    assert.equal(bob.code, 0, bob.err);
    assert.deepEqual(usersOf(), []);
    const looks = await as("bob", "one", "pending");
    assert.match(looks.out, /nothing is pending/);
    assert.match(looks.err, new RegExp(`1 more are kept for ${ids.ann} at`));
    const all = await as("bob", "two", "pending", "--everywhere", "--json");
    assert.equal(all.out.trim().split("\n").length, 1);
    const ann = await as("ann", "two", "retry");
    assert.equal(ann.code, 0, ann.err);
    assert.deepEqual(usersOf(), [ids.ann]);
  });
});

Deno.test("what was saved while nobody was signed in goes with the first who signs in", async () => {
  await withTwo(async ({ as, usersOf }) => {
    assert.equal((await as(null, "one", ...save("0"))).code, 3);
    const nobody = await as(null, "two", "retry");
    assert.equal(nobody.code, 3, nobody.err);
    assert.match(nobody.err, /nobody is signed in: sediment login/);
    assert.equal((await as("bob", "two", "retry")).code, 0);
    assert.equal((await as("ann", "two", "retry")).code, 0);
    assert.deepEqual(usersOf(), [ids.bob]);
  });
});

Deno.test("signed out, retry and pending still tell of what waits for a user there", async () => {
  await withTwo(async ({ as }) => {
    assert.equal((await as("ann", "one", ...save("0"))).code, 3);
    const retried = await as(null, "two", "retry");
    assert.equal(retried.code, 3);
    assert.match(retried.err, /left 1/);
    assert.match(retried.err, /nobody is signed in: sediment login/);
    const { code, err } = await as(null, "two", "pending");
    assert.deepEqual([code, /1 more are kept for/.test(err)], [0, true], err);
  });
});

Deno.test("an older version's folder here is taken over for its user, and named for the others", async () => {
  await withTwo(async ({ folder, http, as, usersOf }) => {
    const old = join(folder, "two", "pending_uploads");
    for (const [user, seed] of [["ann", 1], ["bob", 2], [null, 3]] as const) {
      const uploader = await createUploader({
        url: http.service.url,
        medium: await diskMedium(old),
        session: {
          ...tokenSession(() => user && tokenOf(ids[user])),
          userId: () => user && ids[user],
        },
      });
      await uploader.upload(bytesOf(seed), fragment(), { sendNow: false });
      await uploader.stop();
    }
    const ann = await as("ann", "two", "retry");
    assert.equal(ann.code, 0, ann.err);
    assert.match(ann.err, /took 1 pending uploads over from \.\/pending_uploads/);
    assert.match(ann.err, /holds 2 uploads of other users or servers/);
    assert.deepEqual(usersOf(), [ids.ann]);
    // Whoever says so may send what is nobody's.
    const said = await as("ann", "two", "retry", "--pending", "pending_uploads");
    assert.equal(said.code, 3, said.err);
    assert.deepEqual(usersOf(), [ids.ann, ids.ann]);
  });
});

Deno.test("pairs of the documents' client are taken over for their user, or left with the reason", async () => {
  await withTwo(async ({ folder, http, as, usersOf }) => {
    const old = join(folder, "two", "pending_uploads");
    await mkdir(old);
    const pair = async (id: string, some: Record<string, unknown> = {}, context: object = {}) => {
      const bytes = bytesOf(Number(id[0]));
      const text = JSON.stringify({
        id,
        target_url: `${http.service.origin}/asset-sync/upload`,
        headers: { Authorization: `Bearer ${tokenOf(ids.ann)}` },
        created_at: 1764547200,
        attempt_count: 2,
        file_path: `C:\\Users\\ann\\pending_uploads\\${id}.bin`,
        context: JSON.stringify({
          relative_path: "kcs2\\a.png",
          key: "kcs2/a.png",
          file_size: bytes.length,
          ...context,
        }),
        ...some,
      });
      await writeFile(join(old, `${id}.bin`), bytes);
      await writeFile(join(old, `${id}.json`), text);
    };
    const id = (n: number) => `${n}a000000-0000-4000-8000-000000000000`;
    await pair(id(1));
    await pair(id(2), { headers: { Authorization: `Bearer ${tokenOf(ids.bob)}` } });
    await pair(id(3), { target_url: "https://old.example/api/asset-sync/upload" });
    await pair(id(4), {}, { file_size: 1 });
    await pair(id(5), { headers: {} }, { key: "kcs2/b.png" });
    const ann = await as("ann", "two", "retry");
    assert.match(ann.err, /took 1 pending assets over from pending_uploads/);
    for (
      const why of [
        `2a000000.*another user, ${ids.bob}`,
        "3a000000.*another server, https://old.example",
        "4a000000.*its context says 1",
        "5a000000.*names no user",
      ]
    ) assert.match(ann.err, new RegExp(why));
    assert.deepEqual(usersOf(), [ids.ann], ann.err);
    const names = Array.from(Deno.readDirSync(old), ({ name }) => name).sort();
    assert.deepEqual(names, [2, 3, 4, 5].flatMap((n) => [`${id(n)}.bin`, `${id(n)}.json`]));
    // Whoever says so may send what is nobody's.
    const said = await as("ann", "two", "retry", "--pending", "pending_uploads");
    assert.match(said.err, /took 1 pending assets over/);
    assert.deepEqual(usersOf(), [ids.ann, ids.ann]);
    assert.deepEqual(Array.from(Deno.readDirSync(old)).filter(({ name }) => /^5a/.test(name)), []);
  });
});

Deno.test("an adoption that is cut off at any call leaves each item in one of the places, or in both", async () => {
  for (let calls = 0;; calls++) {
    const done = await withCut(calls);
    if (done) return assert.ok(calls > 10, `${calls} calls are too few to be cut off`);
  }
});

/** Adopts three items, and dies at the n-th call to a medium. @returns whether it came to its end */
async function withCut(calls: number): Promise<boolean> {
  let done = false;
  await withFolder(async (folder) => {
    const paths = [join(folder, "from"), join(folder, "to")];
    const url = "http://sediment.test/functions/v1";
    const open = async (path: string) =>
      await createUploader({ url, medium: await diskMedium(path), session: tokenSession("t") });
    const first = await open(paths[0]);
    for (const seed of [1, 2, 3]) {
      await first.upload(bytesOf(seed), fragment(), { sendNow: false });
    }
    await first.stop();
    let left = calls;
    const cut = (medium: PendingMedium): PendingMedium =>
      new Proxy(medium, {
        get(target, name: keyof PendingMedium) {
          const value = target[name];
          if (typeof value !== "function" || name === "close" || name === "lock") return value;
          return (...args: unknown[]) => {
            if (left-- === 0) throw new Error("cut off");
            return (value as (...args: unknown[]) => unknown).apply(target, args);
          };
        },
      });
    const media = await Promise.all(paths.map((path) => diskMedium(path)));
    done = await adoptItems(cut(media[0]), cut(media[1]), (item) => item)
      .then(() => true, () => false);
    for (const medium of media) await medium.close();
    const kept = new Set<string>();
    for (const path of paths) {
      const uploader = await open(path);
      for (const item of await uploader.items()) {
        assert.equal(item.state, "waiting", `${item.last_error?.message} after ${calls} calls`);
        assert.equal((await uploader.bytes(item.id)).length, 1000);
        kept.add(item.id);
      }
      await uploader.stop();
    }
    assert.equal(kept.size, 3, `after ${calls} calls`);
  });
  return done;
}
