import { strict as assert } from "node:assert";
import { checkHeaders } from "../../shared/uploader/send/check_headers.ts";
import fc from "../support/fast_check.ts";
import { newItem } from "../../shared/uploader/pending/pending_item.ts";
import { iso, readRecord, writeRecord } from "../../shared/uploader/pending/pending_record.ts";
import { checkMeta } from "../../shared/uploader/upload_meta.ts";
import { fragment } from "./support/setup.ts";

const id = "0123456789abcdef0123456789abcdef";
const draft = {
  targetUrl: "https://x.test/functions/v1/battle-data/upload",
  meta: checkMeta(fragment()),
};
const item = newItem(id, draft, 5, "a".repeat(64), Date.UTC(2026, 10, 22));
const text = writeRecord(item);

Deno.test("a record is read as it was written", () => {
  assert.deepEqual(readRecord(id, text), { kind: "item", item });
});

Deno.test("a record torn at any byte is broken, with a reason", () => {
  for (let length = 0; length < text.length - 2; length++) {
    const read = readRecord(id, text.slice(0, length));
    assert.equal(read.kind, "broken", `${length}`);
  }
});

Deno.test("no text makes the reader throw, and none becomes an item of another id", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (anything) => {
      const read = readRecord(id, anything);
      if (read.kind === "item") assert.equal(read.item.id, id);
    }),
    { numRuns: 1000 },
  );
  const others = readRecord("f".repeat(32), text);
  assert.equal(others.kind, "broken");
});

Deno.test("a record of a newer version is named as such, and not read", () => {
  assert.deepEqual(readRecord(id, '{"v":2,"anything":true}'), { kind: "newer", version: 2 });
});

Deno.test("credentials among the headers are not kept", () => {
  const headers = { Authorization: "Bearer x", APIKEY: "k", cookie: "c", "x-app": "1" };
  assert.deepEqual(checkHeaders(headers), { "x-app": "1" });
});

Deno.test("an instant is a date that can be read, whatever the clock says", () => {
  for (const time of [-1e20, -1, 0, Date.now(), 1e20, 8.64e15 + 1]) {
    assert.ok(Number.isFinite(Date.parse(iso(time))), `${time}`);
  }
});
