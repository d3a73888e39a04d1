/** Keys: which are allowed, and that each is its own. Part of the suite of object stores. */
import { strict as assert } from "node:assert";

import { assertSameBytes, type Check, text, throwsCode } from "../store_case.ts";

/** Registers these checks. */
export function nameChecks(check: Check): void {
  check("an object may lie where another has a folder", async ({ store, key }) => {
    await store.put(key("a/b"), text("below"));
    await store.put(key("a"), text("above"));
    await store.put(key("a/b/c"), text("deep"));
    assertSameBytes(await store.get(key("a")), text("above"));
    await store.deleteMany([key("a/b")]);
    assertSameBytes(await store.get(key("a")), text("above"));
    assertSameBytes(await store.get(key("a/b/c")), text("deep"));
  });

  check("keys keep every character that is allowed, and their case", async ({ store, key }) => {
    const names = ["UPPER", "upper", "a b+c", "!-.*'()&$@=;:,?", "100.5_x", "...", "x".repeat(200)];
    for (const name of names) await store.put(key(name), text(name));
    for (const name of names) assertSameBytes(await store.get(key(name)), text(name), name);
    assert.deepEqual(
      (await store.list(key(""))).objects.map((object) => object.key),
      names.map((name) => key(name)).sort(),
    );
    await store.copy(key("a b+c"), key("c+b a"));
    assertSameBytes(await store.get(key("c+b a")), text("a b+c"));
    await store.deleteMany(names.map((name) => key(name)));
    assert.deepEqual((await store.list(key(""))).objects.map((o) => o.key), [key("c+b a")]);
  });

  check("a key that would be another path is refused", async ({ store, key }) => {
    const hostile = [
      "",
      "/",
      "/etc/passwd",
      "..",
      "../x",
      key("a/../b"),
      key("./a"),
      key("a//b"),
      key("a/"),
      key("..%2fx"),
      key("a\0b"),
      key("a\\b"),
      key("a\nb"),
      key("ü"),
      key("a#b"),
      key("k".repeat(1024)),
    ];
    for (const bad of hostile) {
      const said = JSON.stringify(bad);
      await throwsCode("invalid_name", () => store.put(bad, text("x")), said);
      await throwsCode("invalid_name", () => store.get(bad), said);
      await throwsCode("invalid_name", () => store.head(bad), said);
      await throwsCode("invalid_name", () => store.signUpload(bad), said);
    }
    assert.deepEqual((await store.list(key(""))).objects, []);
  });
}
