import { strict as assert } from "node:assert";

import {
  assertValidBucketName,
  assertValidKey,
  isValidBucketName,
  isValidKey,
} from "../../supabase/local/storage/keys.ts";

Deno.test("names that lead elsewhere, or that the real API refuses, are not valid", () => {
  const bad = [
    ...["", ".", "..", "../a", "a/..", "a/./b"],
    ...["a\\b", "a\0", "a\n", "ü", "a~", "a^", "a#", "a%2f"],
    "a".repeat(1025),
  ];
  for (const key of bad) {
    assert.equal(isValidKey(key), false, key);
    assert.throws(() => assertValidKey(key), /Invalid key/);
  }
  for (const bucket of ["", ".", "..", "a/b", "a\0", "b".repeat(101)]) {
    assert.equal(isValidBucketName(bucket), false, bucket);
    assert.throws(() => assertValidBucketName(bucket), /Bucket name invalid/);
  }
});

Deno.test("a key may be long, deep, and have every mark that the real API allows", () => {
  for (const key of ["a".repeat(1024), "a/".repeat(500), "//", "aZ09_/!-.*'() &$@=;:+,?"]) {
    assert.ok(isValidKey(key), key);
  }
});
