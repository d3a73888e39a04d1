/** What is done with objects that are there, and with such as are not. Part of the suite of object stores. */
import { strict as assert } from "node:assert";

import { assertSameBytes, type Check, noise, text, throwsCode } from "../store_case.ts";

/** Registers these checks. */
export function objectChecks(check: Check): void {
  check("a range is exactly the bytes asked for", async ({ store, key }) => {
    const bytes = noise(10_000);
    await store.put(key("ranges"), bytes);
    const range = (start: number, length: number) => store.getRange(key("ranges"), start, length);
    assertSameBytes(await range(0, 1), bytes.slice(0, 1));
    assertSameBytes(await range(1234, 4321), bytes.slice(1234, 5555));
    assertSameBytes(await range(9999, 1), bytes.slice(9999));
    assertSameBytes(await range(0, 10_000), bytes);
    assertSameBytes(await range(9990, 500), bytes.slice(9990), "short at the object's end");
    assert.equal((await range(5, 0)).byteLength, 0);
    await throwsCode("range_not_satisfiable", () => range(10_000, 1));
    await throwsCode("range_not_satisfiable", () => range(1_000_000, 10));
  });

  check("what isn't there is missing, not a failure", async ({ store, key }) => {
    assert.equal(await store.head(key("nothing")), null);
    await throwsCode("object_missing", () => store.get(key("nothing")));
    await throwsCode("object_missing", () => store.getRange(key("nothing"), 0, 4));
    await throwsCode("object_missing", () => store.copy(key("nothing"), key("copy")));
    await store.deleteMany([key("nothing")]);
    await store.deleteMany([]);
    assert.deepEqual(await store.list(key("nothing")), { objects: [], cursor: undefined });
  });

  check("many keys are deleted at once, and only they", async ({ store, key }) => {
    for (const name of ["a", "b", "c"]) await store.put(key(name), text(name));
    const absent = Array.from({ length: 1100 }, (_, i) => key(`absent/${i}`));
    await store.deleteMany([key("a"), ...absent, key("c")]);
    assert.deepEqual((await store.list(key(""))).objects.map((o) => o.key), [key("b")]);
    assert.equal(await store.head(key("a")), null);
    await store.put(key("a"), text("a deleted key can be written again"));
  });

  check("a listing is in key order, by prefix, page by page", async ({ store, key }) => {
    const names = ["t/1", "t-1", "t/10", "t/2/x", "t.1", "T/1", "u", "t/2"];
    for (const name of names) await store.put(key(name), text(name));
    const sorted = names.map((name) => key(name)).sort();
    const all = await store.list(key(""));
    assert.deepEqual(all.objects.map((object) => object.key), sorted);
    assert.equal(all.cursor, undefined);
    assert.equal(all.objects[0].size, sorted[0].length - key("").length);
    assert.equal(all.objects[0].etag, (await store.head(sorted[0]))?.etag);

    const under = async (prefix: string) =>
      (await store.list(key(prefix))).objects.map((object) => object.key);
    assert.deepEqual(await under("t/"), sorted.filter((k) => k.startsWith(key("t/"))));
    assert.deepEqual(await under("t/1"), [key("t/1"), key("t/10")], "a prefix isn't a folder");
    assert.deepEqual(await under("t/2/"), [key("t/2/x")]);

    const paged: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.list(key(""), { limit: 3, cursor });
      assert.ok(page.objects.length <= 3);
      paged.push(...page.objects.map((object) => object.key));
      cursor = page.cursor;
    } while (cursor !== undefined);
    assert.deepEqual(paged, sorted);
  });

  check(
    "a copy is another object with the same bytes, whose type is no client's",
    async ({ store, key }) => {
      const bytes = noise(300_000);
      await store.put(key("from"), bytes, { contentType: "text/html" });
      await store.copy(key("from"), key("deep/to"));
      await store.deleteMany([key("from")]);
      assertSameBytes(await store.get(key("deep/to")), bytes);
      assert.equal((await store.head(key("deep/to")))?.contentType, "application/octet-stream");
      await store.put(key("from"), text("other"));
      await throwsCode("already_stored", () => store.copy(key("from"), key("deep/to")));
      assertSameBytes(await store.get(key("deep/to")), bytes);
    },
  );
}
