import { strict as assert } from "node:assert";
import { parseRange } from "../../shared/http/byte_range.ts";

Deno.test("ranges of RFC 9110 section 14.1.2 give the bytes that they name", () => {
  assert.deepEqual(parseRange("bytes=0-499", 10000), { start: 0, length: 500 });
  assert.deepEqual(parseRange("bytes=500-999", 10000), { start: 500, length: 500 });
  assert.deepEqual(parseRange("bytes=-500", 10000), { start: 9500, length: 500 });
  assert.deepEqual(parseRange("bytes=9500-", 10000), { start: 9500, length: 500 });
  assert.deepEqual(parseRange("bytes=0-0", 10000), { start: 0, length: 1 });
});

Deno.test("a range is cut at the end of the file", () => {
  assert.deepEqual(parseRange("bytes=90-1000", 100), { start: 90, length: 10 });
  assert.deepEqual(parseRange("bytes=-1000", 100), { start: 0, length: 100 });
});

Deno.test("headers that may be ignored are ignored", () => {
  for (
    const header of [null, "", "items=0-5", "bytes=0-1,5-6", "bytes=-", "bytes=5-1", "bytes=a-b"]
  ) {
    assert.equal(parseRange(header, 100), undefined, String(header));
  }
});

Deno.test("a range outside of the file is 416 and tells the size", () => {
  for (const header of ["bytes=100-", "bytes=100-200", "bytes=-0"]) {
    assert.throws(() => parseRange(header, 100), (error: { code: string; extra: unknown }) => {
      assert.equal(error.code, "range_not_satisfiable");
      assert.deepEqual(error.extra, { size: 100 });
      return true;
    }, header);
  }
});
