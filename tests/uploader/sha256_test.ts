import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import fc from "../support/fast_check.ts";
import { createSha256, sha256 } from "../../shared/uploader/sha256.ts";

Deno.test("our SHA-256 gives node's digest however the bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (pieces) => {
      const ours = createSha256(), theirs = createHash("sha256");
      for (const piece of pieces) {
        ours.update(piece);
        theirs.update(piece);
      }
      assert.equal(ours.hex(), theirs.digest("hex"));
    }),
    { numRuns: 300 },
  );
});

Deno.test("our SHA-256 pads right at every length around a block's end", () => {
  for (let length = 0; length < 200; length++) {
    const bytes = new Uint8Array(length).fill(length);
    assert.equal(sha256(bytes), createHash("sha256").update(bytes).digest("hex"), `${length}`);
  }
});
