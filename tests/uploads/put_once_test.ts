import { strict as assert } from "node:assert";
import { createMemoryStore } from "../support/memory_store.ts";
import type { ObjectStore } from "../../shared/storage/object_store.ts";
import { putOnce } from "../../shared/uploads/put_once.ts";

Deno.test("what was put where the store tells no ETag has an empty one, never null, which says that nothing was put", async () => {
  const store = createMemoryStore();
  const untold: Pick<ObjectStore, "put" | "head"> = {
    put: async (...put) => ({ ...await store.put(...put), etag: "" }),
    head: (...head) => store.head(...head),
  };
  const { etag } = await putOnce(untold, "a/b.parquet", new Uint8Array([1, 2, 3]));
  assert.equal(etag, "");
  assert.equal(store.objects.size, 1);
});
