import { strict as assert } from "node:assert";

import fc from "../support/fast_check.ts";

import { ObjectFolder } from "../../supabase/local/storage/object_folder.ts";

const facts = { mimetype: "text/plain", cacheControl: "no-cache" };

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}

async function withFolder(run: (folder: ObjectFolder, root: string) => Promise<void>) {
  const root = await Deno.makeTempDir({ prefix: "sediment-folder-" });
  try {
    const folder = new ObjectFolder(root);
    await folder.ready();
    await run(folder, root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("keys come in the order of their bytes, from any key on, below any prefix", async () => {
  const key = fc.array(fc.constantFrom("a", "b", "A", "-", ".x", "/", "/", "0"), {
    minLength: 1,
    maxLength: 6,
  }).map((pieces) => pieces.join("")).filter((key) =>
    !key.split("/").some((segment) => segment === "." || segment === "..")
  );
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(key, { maxLength: 12 }),
      key,
      key,
      async (keys, prefix, after) => {
        await withFolder(async (folder) => {
          for (const key of keys) await folder.write("b", key, bytes(key), facts);
          const sorted = [...keys].sort();
          assert.deepEqual(await Array.fromAsync(folder.keys("b")), sorted);
          for (const start of ["", prefix, prefix[0]]) {
            assert.deepEqual(
              await Array.fromAsync(folder.keys("b", start, after)),
              sorted.filter((key) => key.startsWith(start) && key > after),
              `${start} after ${after}`,
            );
          }
        });
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("puts and deletes in one folder don't trip over each other", () =>
  withFolder(async (folder) => {
    // A delete prunes the folder that a put has just made.
    const work = Array.from({ length: 8 }, async (_, worker) => {
      for (let i = 0; i < 40; i++) {
        await folder.write("b", `deep/er/${worker}`, bytes("x"), facts);
        assert.ok(await folder.delete("b", `deep/er/${worker}`));
      }
    });
    await Promise.all(work);
    assert.deepEqual(await Array.fromAsync(folder.keys("b")), []);
    assert.deepEqual(await folder.children("b", ""), { files: [], folders: [] });
  }));

Deno.test("a reader sees the old object or the new one while it is replaced", () =>
  withFolder(async (folder) => {
    await folder.write("b", "k", bytes("0".repeat(1000)), facts);
    let going = true;
    const writer = (async () => {
      for (let i = 1; i < 100; i++) {
        await folder.write("b", "k", bytes(String(i % 10).repeat(1000 + i)), facts);
      }
      going = false;
    })();
    while (going) {
      const open = await folder.open("b", "k");
      assert.ok(open, "an object that is replaced is never missing");
      const text = new Uint8Array(open.meta.size);
      await open.file.seek(0, Deno.SeekMode.Start);
      await open.file.read(text);
      open.file.close();
      assert.equal(new Set(text).size, 1, "bytes of two objects");
    }
    await writer;
  }));

Deno.test("a start drops what a killed process was writing", () =>
  withFolder(async (_folder, root) => {
    await Deno.writeTextFile(`${root}/incoming/half`, "half an obj");
    const next = new ObjectFolder(root);
    await next.ready();
    assert.deepEqual(await Array.fromAsync(Deno.readDir(`${root}/incoming`)), []);
    assert.deepEqual(await Array.fromAsync(next.keys("b")), []);
  }));
