import { strict as assert } from "node:assert";
import { createTokenCache } from "../../shared/http/token_cache.ts";

Deno.test("a token is remembered for a minute and never past its own end", () => {
  let now = 1_000_000;
  const memory = createTokenCache({ now: () => now });
  memory.set("long", "alice", 9_999_999);
  memory.set("short", "bob", 1_010);
  memory.set("endless", "carol", undefined);
  assert.deepEqual([memory.get("long"), memory.get("short")], ["alice", "bob"]);
  assert.equal(memory.get("endless"), undefined);
  now = 1_010_000;
  assert.deepEqual([memory.get("long"), memory.get("short")], ["alice", undefined]);
  now = 1_060_000;
  assert.equal(memory.get("long"), undefined);
});

Deno.test("the oldest token makes room for the newest", () => {
  const memory = createTokenCache({ size: 2, now: () => 0 });
  for (const name of ["a", "b", "a", "c"]) memory.set(name, name, 100);
  assert.deepEqual([memory.get("a"), memory.get("b"), memory.get("c")], ["a", undefined, "c"]);
});
