import { strict as assert } from "node:assert";
import { Zstd } from "../../shared/compression/zstd.ts";

/** What zstd's own code makes of a page: for readers that are compared with ours, whose kernels have a decoder of their own. */
export async function libzstdPages(): Promise<(packed: Uint8Array, length: number) => Uint8Array> {
  const zstd = await Zstd.open();
  return (packed, length) => {
    const bytes = zstd.decompressWithin(packed, length, length);
    assert.equal(bytes.length, length);
    return bytes;
  };
}
