import { strict as assert } from "node:assert";
import { contentTag } from "../../shared/readers/file_content.ts";

Deno.test("content has another ETag when other bytes are behind its file's id, and no other one when they are not", () => {
  const file = { id: 7, objectKey: "battle_data/d/t/0/one.bin", start: 10, length: 20 };
  const tag = contentTag(file);
  assert.match(tag, /^"[0-9a-f]{32}"$/);
  assert.equal(contentTag({ ...file, id: 8 }), tag);
  // healed, or another file under an id that came again after a restore
  for (const other of [{ objectKey: "battle_data/d/t/0/two.bin" }, { start: 11 }, { length: 21 }]) {
    assert.notEqual(contentTag({ ...file, ...other }), tag);
  }
});
