import { strict as assert } from "node:assert";
import { deflateRawSync } from "node:zlib";
import { decompress } from "../../../shared/avro/codec/decompress.ts";
import { join } from "../avro_writer.ts";
import { assertBytes, fault, samples } from "./samples.ts";

const room = 1 << 20;

/** A room in which node:zlib may have the block, and one in which it may not. */
const rooms = [64 * room, 200_000];

const deflated = (data: Uint8Array) => new Uint8Array(deflateRawSync(data));

Deno.test("a deflated block may fill the room exactly, and not a byte more", () => {
  const stored = deflated(new Uint8Array(5_000));
  assert.equal(decompress("deflate", stored, room).length, 5_000);
  assert.equal(decompress("deflate", stored, 5_000).length, 5_000);
  assert.match(fault("unsupported_avro", () => decompress("deflate", stored, 4_999)), /4999/);
});

Deno.test("a deflated block cut short anywhere is refused, whichever decoder gets it", () => {
  for (const data of samples()) {
    if (data.length === 0 || data.length > 4_000) continue;
    const stored = deflated(data);
    for (let length = 0; length < stored.length; length += 1 + (length >> 3)) {
      const cut = stored.subarray(0, length);
      for (const room of rooms) fault("invalid_avro", () => decompress("deflate", cut, room));
    }
  }
});

Deno.test("bytes after the last deflate block are left alone, as Avro's Python library writes some", () => {
  const data = samples()[17];
  for (const room of rooms) {
    assertBytes(decompress("deflate", join(deflated(data), [1, 2, 3]), room), data);
  }
});
