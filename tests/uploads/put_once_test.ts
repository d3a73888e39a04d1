import { strict as assert } from "node:assert";
import { createMemoryStore } from "../../shared/storage/memory_store.ts";
import { putOnce } from "../../shared/uploads/put_once.ts";

Deno.test("what was put where the store tells no ETag has an empty one, never null, which says that nothing was put", async () => {
  const store = createMemoryStore();
  const put: typeof store.put = async (key, bytes, options) => {
    await store.put(key, bytes, options);
    return { etag: "" };
  };
  const bytes = new Uint8Array([1, 2, 3]);
  const untold = { put, head: store.head.bind(store) };
  assert.deepEqual(await putOnce(untold, "a/b.parquet", bytes), { etag: "" });
});
