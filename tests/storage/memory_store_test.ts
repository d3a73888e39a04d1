import { strict as assert } from "node:assert";

import { createMemoryStore, type StoreCall } from "../support/memory_store.ts";

const bytes = new TextEncoder().encode("bytes");

Deno.test("a hook before a call keeps it from having any effect", async () => {
  const store = createMemoryStore({
    before({ method }) {
      if (method === "put" || method === "deleteMany") throw new Error("not now");
    },
  });
  await assert.rejects(store.put("k", bytes), /not now/);
  await assert.rejects(store.deleteMany(["k"]), /not now/);
  assert.equal(store.objects.size, 0);
});

Deno.test("a hook after a call loses the answer of what was done", async () => {
  const store = createMemoryStore({
    after() {
      throw new Error("the answer is lost");
    },
  });
  await assert.rejects(store.put("k", bytes), /lost/);
  assert.deepEqual(store.objects.get("k")?.bytes, bytes);
  await assert.rejects(store.deleteMany(["k"]), /lost/);
  assert.equal(store.objects.size, 0);
});

Deno.test("hooks see every call with its keys, and may make it wait", async () => {
  const calls: StoreCall[] = [];
  let letGo = () => {};
  const gate = new Promise<void>((resolve) => letGo = resolve);
  const store = createMemoryStore({
    async before(call) {
      calls.push(call);
      if (call.method === "put") await gate;
    },
  });
  const put = store.put("a", bytes);
  assert.equal(await store.head("a"), null, "a call that waits has no effect yet");
  letGo();
  await put;
  await store.copy("a", "b");
  await store.deleteMany(["a", "b"]);
  assert.deepEqual(calls, [
    { method: "put", key: "a" },
    { method: "head", key: "a" },
    { method: "copy", key: "a", keys: ["b"] },
    { method: "deleteMany", key: "a", keys: ["a", "b"] },
  ]);
});

Deno.test("what the caller does to its bytes later doesn't reach the store", async () => {
  const store = createMemoryStore();
  const mine = new Uint8Array([1, 2, 3]);
  await store.put("k", mine);
  mine.fill(9);
  const got = await store.get("k");
  assert.deepEqual([...got], [1, 2, 3]);
  got.fill(7);
  assert.deepEqual([...await store.getRange("k", 0, 3)], [1, 2, 3]);
});

Deno.test("time is the given clock's", async () => {
  const store = createMemoryStore({ now: () => 1_000_000 });
  await store.put("k", bytes);
  assert.equal((await store.head("k"))?.lastModified?.getTime(), 1_000_000);
  assert.equal((await store.signUpload("new")).expiresAt.getTime(), 8_200_000);
});
