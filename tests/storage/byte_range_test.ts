import { strict as assert } from "node:assert";

import { parseByteRange } from "../../supabase/local/storage/byte_range.ts";

Deno.test("a Range header is read as RFC 9110 says", () => {
  const cases: [string | null, number, ReturnType<typeof parseByteRange>][] = [
    [null, 10, null],
    ["bytes=0-0", 10, { start: 0, length: 1 }],
    ["bytes=2-5", 10, { start: 2, length: 4 }],
    ["Bytes=7-", 10, { start: 7, length: 3 }],
    ["bytes=-4", 10, { start: 6, length: 4 }],
    ["bytes=-400", 10, { start: 0, length: 10 }],
    ["bytes=8-99", 10, { start: 8, length: 2 }],
    ["bytes=10-", 10, "unsatisfiable"],
    ["bytes=10-12", 10, "unsatisfiable"],
    ["bytes=-0", 10, "unsatisfiable"],
    ["bytes=0-", 0, "unsatisfiable"],
    ["bytes=-5", 0, "unsatisfiable"],
    // What can't be read is ignored, and several ranges are the whole, as on S3.
    ["bytes=5-2", 10, null],
    ["bytes=-", 10, null],
    ["bytes=a-b", 10, null],
    ["bytes=0-1,3-4", 10, null],
    ["items=0-1", 10, null],
  ];
  for (const [header, size, expected] of cases) {
    assert.deepEqual(parseByteRange(header, size), expected, `${header} of ${size}`);
  }
});
