import { strict as assert } from "node:assert";
import type { Catalog } from "../../shared/catalog/catalog.ts";
import { SedimentError } from "../../shared/errors.ts";
import { contentTag, copyOf, readContent } from "../../shared/readers/file_content.ts";
import { createMemoryStore } from "../support/memory_store.ts";

Deno.test("content has another ETag when other bytes are behind its file's id, and no other one when they are not", () => {
  const file = { id: 7, objectKey: "battle_data/d/t/0/one.bin", start: 10, length: 20 };
  const tag = contentTag(file);
  assert.match(tag, /^"[0-9a-f]{32}"$/);
  assert.equal(contentTag({ ...file, id: 8 }), tag);
  // healed, or another file under an id that came again after a restore
  for (const other of [{ objectKey: "battle_data/d/t/0/two.bin" }, { start: 11 }, { length: 21 }]) {
    assert.notEqual(contentTag({ ...file, ...other }), tag);
  }
});

const shared = {
  id: 7,
  objectKey: "battle_data/d/t/0/one.bin",
  start: 4,
  length: 12 * 1024 * 1024,
};

/** A catalog in which the file is where `now` says. */
function catalogOf(now: Record<string, unknown>): Pick<Catalog, "getFile"> {
  const file = { object_key: "battle_data/d/t/0/copy.parquet", start_byte: 0, ...now };
  return {
    getFile: () => Promise.resolve({ byte_length: shared.length, ...file }),
  } as unknown as Pick<Catalog, "getFile">;
}

Deno.test("a slice whose object is split while it is read is read on from its copy, byte for byte", async () => {
  const store = createMemoryStore();
  const bytes = Uint8Array.from({ length: shared.length }, (_, n) => n % 251);
  const body = new Uint8Array(shared.start + shared.length);
  body.set(bytes, shared.start);
  await store.put(shared.objectKey, body);
  const moved = () =>
    copyOf(catalogOf({ copy_of: { copy_of: shared.objectKey, start_byte: 4 } }), shared);
  const stream = await readContent(store, shared, 5, shared.length - 5, { moved });
  const reader = (stream as ReadableStream<Uint8Array>).getReader();
  const parts = [(await reader.read()).value!];
  await store.put("battle_data/d/t/0/copy.parquet", bytes);
  await store.deleteMany([shared.objectKey]);
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    parts.push(next.value);
  }
  const read = new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
  assert.equal(read.length, shared.length - 5);
  assert.ok(read.every((byte, n) => byte === bytes[n + 5]));
});

Deno.test("a URL of a file that was deleted says so, and one that nobody can tell of that its object is gone", async () => {
  for (
    const [said, told] of [["not_found", "version_gone"], ["version_gone", "version_gone"], [
      "catalog_failed",
      "object_missing",
    ]] as const
  ) {
    const getFile = () => Promise.reject(new SedimentError(said, "asked"));
    const moved = () => copyOf({ getFile } as Pick<Catalog, "getFile">, shared);
    const read = readContent(createMemoryStore(), shared, 0, 8, { moved });
    await assert.rejects(read as Promise<unknown>, { code: told }, said);
  }
});

Deno.test("a URL leads to no bytes but those that it was given for", async () => {
  const place = { copy_of: shared.objectKey, start_byte: shared.start };
  for (
    const now of [
      { copy_of: null },
      { copy_of: { ...place, copy_of: "battle_data/d/t/0/two.bin" } },
      { copy_of: { ...place, start_byte: 5 } },
      { copy_of: place, byte_length: 11 },
    ]
  ) {
    assert.equal(await copyOf(catalogOf(now), shared), null, JSON.stringify(now));
    const store = createMemoryStore();
    const moved = () => copyOf(catalogOf(now), shared);
    await assert.rejects(readContent(store, shared, 0, 8, { moved }) as Promise<unknown>, {
      code: "object_missing",
    });
  }
});
