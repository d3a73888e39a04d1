import { strict as assert } from "node:assert";
import type { Catalog } from "../../shared/catalog/catalog.ts";
import { checksumOf } from "../../shared/compaction/checksum.ts";
import { splitObjects } from "../../shared/compaction/upkeep/split_objects.ts";
import { SedimentError } from "../../shared/errors.ts";
import { createMemoryStore } from "../support/memory_store.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const shared = "battle_data/d/t/0/u.bin";

/** An object of three slices of which the first was deleted; each try plans other keys. */
function catalogOf(
  checksums: (string | null)[] = [checksumOf(bytes("bbb")), checksumOf(bytes("cc"))],
) {
  const told: { objectKey: string; copies: unknown; missing: boolean | null | undefined }[] = [];
  let tries = 0;
  const catalog = {
    stageSplits: () => {
      const n = ++tries;
      const copy = (file: number, start_byte: number, byte_length: number) => ({
        file,
        start_byte,
        byte_length,
        checksum: checksums[file - 2],
        object_key: `battle_data/d/t/0/${n}-${file}.parquet`,
      });
      const splits = told.length > 0
        ? []
        : [{ object_key: shared, etag: "other", copies: [copy(2, 4, 3), copy(3, 7, 2)] }];
      return Promise.resolve({ splits, more: false });
    },
    commitSplit: (args: (typeof told)[number]) => {
      told.push(args);
      return Promise.resolve({ copied: (args.copies as unknown[]).length, left: 0 });
    },
  } as unknown as Pick<Catalog, "stageSplits" | "commitSplit">;
  return { catalog, told };
}

async function storeOf(hooks: Parameters<typeof createMemoryStore>[0] = {}) {
  const store = createMemoryStore(hooks);
  await store.put(shared, bytes("aaaabbbcc"));
  return store;
}

const options = { inTime: () => true, signal: new AbortController().signal };
const textOf = (store: Awaited<ReturnType<typeof storeOf>>, key: string) =>
  new TextDecoder().decode(store.objects.get(key)?.bytes);

Deno.test("each slice that is there gets an object of its bytes, before the catalog is told", async () => {
  const store = await storeOf();
  const { catalog, told } = catalogOf();
  assert.equal(await splitObjects({ catalog, store }, options), 2);
  assert.equal(textOf(store, "battle_data/d/t/0/1-2.parquet"), "bbb");
  assert.equal(textOf(store, "battle_data/d/t/0/1-3.parquet"), "cc");
  const etag = async (key: string) => (await store.head(key))!.etag;
  assert.deepEqual(told, [{
    objectKey: shared,
    copies: [
      {
        file: 2,
        object_key: "battle_data/d/t/0/1-2.parquet",
        etag: await etag("battle_data/d/t/0/1-2.parquet"),
      },
      {
        file: 3,
        object_key: "battle_data/d/t/0/1-3.parquet",
        etag: await etag("battle_data/d/t/0/1-3.parquet"),
      },
    ],
    missing: false,
  }]);
});

Deno.test("a slice whose bytes have changed is not copied, its neighbour is", async () => {
  const store = await storeOf();
  store.objects.get(shared)!.bytes[5] = 0;
  const { catalog, told } = catalogOf();
  await splitObjects({ catalog, store }, options);
  assert.deepEqual((told[0].copies as { file: number }[]).map(({ file }) => file), [3]);
  assert.equal(store.objects.has("battle_data/d/t/0/1-2.parquet"), false);
});

Deno.test("where no checksum is known the object's ETag says that its bytes have changed", async () => {
  const store = await storeOf();
  const { catalog, told } = catalogOf([null, checksumOf(bytes("cc"))]);
  await splitObjects({ catalog, store }, options);
  assert.deepEqual((told[0].copies as { file: number }[]).map(({ file }) => file), [3]);
});

Deno.test("an object that is gone is told as missing", async () => {
  const store = await storeOf();
  await store.deleteMany([shared]);
  const { catalog, told } = catalogOf();
  assert.equal(await splitObjects({ catalog, store }, options), 0);
  assert.deepEqual(told, [{ objectKey: shared, copies: [], missing: true }]);
});

Deno.test("a store that takes no copies leaves all as it was, and the next try makes them", async () => {
  const { catalog, told } = catalogOf();
  const store = await storeOf();
  const full = Object.assign(Object.create(store), {
    put: () => Promise.reject(new SedimentError("store_failed", "full")),
  });
  await assert.rejects(splitObjects({ catalog, store: full }, options), { code: "store_failed" });
  assert.deepEqual(told, []);
  assert.equal(textOf(store, shared), "aaaabbbcc");
  assert.equal(await splitObjects({ catalog, store }, options), 2);
});

Deno.test("when the time is over no further object is begun, though it was handed out", async () => {
  const store = await storeOf();
  const { catalog, told } = catalogOf();
  let asked = 0;
  const inTime = () => asked++ === 0;
  assert.equal(await splitObjects({ catalog, store }, { ...options, inTime }), 0);
  assert.deepEqual(told, []);
});
