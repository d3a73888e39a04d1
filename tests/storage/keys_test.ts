import { strict as assert } from "node:assert";
import { relative, resolve, sep } from "node:path";

import fc from "../support/fast_check.ts";

import {
  bucketPath,
  decodeEntry,
  isValidBucketName,
  isValidKey,
  objectPath,
  prefixPath,
} from "../../supabase/local/storage/keys.ts";

const root = "/srv/storage";
const alphabet = [..."aAbBzZ09_/!-.*'() &$@=;:+,?"];
const keys = fc.array(fc.constantFrom(...alphabet), { minLength: 1, maxLength: 40 })
  .map((marks) => marks.join("")).filter(isValidKey);

Deno.test("a key's file lies in its bucket's folder, whatever the key", () => {
  fc.assert(fc.property(keys, (key) => {
    const path = objectPath(root, "b", key);
    assert.equal(path, resolve(path));
    const within = relative(bucketPath(root, "b"), path);
    assert.ok(!within.startsWith("..") && within !== "", path);
  }));
});

Deno.test("two keys never share a file, not even where case is folded", () => {
  fc.assert(fc.property(keys, keys, (a, b) => {
    fc.pre(a !== b);
    assert.notEqual(
      objectPath(root, "b", a).toLowerCase(),
      objectPath(root, "b", b).toLowerCase(),
    );
  }));
});

Deno.test("no key's file is another key's folder", () => {
  fc.assert(fc.property(keys, keys, (a, b) => {
    assert.ok(!objectPath(root, "b", b).startsWith(objectPath(root, "b", a) + sep));
  }));
});

Deno.test("a directory's entries tell the key again", () => {
  fc.assert(fc.property(keys, (key) => {
    const entries = relative(bucketPath(root, "b"), objectPath(root, "b", key)).split(sep);
    const decoded = entries.map((entry) => decodeEntry(entry)!);
    assert.deepEqual(
      decoded.map((entry) => entry.folder),
      entries.map((_, i) => i < entries.length - 1),
    );
    assert.equal(decoded.map((entry) => entry.name).join("/"), key);
  }));
});

Deno.test("names that lead elsewhere, or that no file can have, are not valid", () => {
  const bad = [
    "",
    ".",
    "..",
    "../a",
    "a/..",
    "a/./b",
    "a\\b",
    "a\0",
    "a\n",
    "ü",
    "a~",
    "a^",
    "a#",
    "a%2f",
  ];
  for (const key of [...bad, "a".repeat(241), "A".repeat(121), "a/".repeat(600)]) {
    assert.equal(isValidKey(key), false, key);
    assert.throws(() => objectPath(root, "b", key), /Invalid key/);
  }
  for (const bucket of ["", ".", "..", "a/b", "a\0", "b".repeat(101)]) {
    assert.equal(isValidBucketName(bucket), false, bucket);
    assert.throws(() => bucketPath(root, bucket), /Bucket name invalid/);
  }
  for (const prefix of ["../", "a/../", "a\0/", "a"]) {
    assert.equal(prefixPath(root, "b", prefix), null);
  }
});
