import { SedimentError } from "../errors.ts";
import { at, invalid } from "./avro_error.ts";
import { decompress } from "./codec/decompress.ts";
import type { Zstd } from "../compression/zstd.ts";
import { Cursor } from "./cursor.ts";
import { type AvroHeader, readAvroHeader } from "./header.ts";
import { type AvroLimits, avroLimitsWith } from "./limits.ts";

/** One data block, decompressed. */
export interface AvroBlock {
  /** Counts from 0. */
  index: number;
  /** Where it begins in the file. */
  offset: number;
  /** Objects in it, as it declares; checked against what its bytes can hold. */
  count: number;
  /** The objects' bytes: a view of the file under codec null, else bytes of their own. */
  data: Uint8Array;
}

export interface ReadAvroOptions {
  /** Limits that differ from {@link avroLimitsWith}'s defaults. */
  limits?: Partial<AvroLimits>;
  /** Ends the reading with `aborted` before the next block. */
  signal?: AbortSignal;
  /** The header, where the caller has read it. */
  header?: AvroHeader;
  /** Needed where the codec is zstandard. */
  zstd?: Zstd;
}

/**
 * The blocks of an Object Container File, one at a time (Avro 1.12, "Object Container Files"). Nothing of a
 * block is kept once the next is asked for.
 *
 * @param bytes the whole file, which may be a slice of a larger body
 * @throws not_avro, invalid_avro, unsupported_avro with the block in `extra.block`; aborted
 */
export function* readAvroBlocks(
  bytes: Uint8Array,
  options: ReadAvroOptions = {},
): Generator<AvroBlock, void, undefined> {
  const limits = avroLimitsWith(options.limits);
  const header = options.header ?? readAvroHeader(bytes, limits);
  const cursor = new Cursor(bytes, header.blocksStart);
  let decoded = 0;
  for (let index = 0; cursor.remaining > 0; index++) {
    if (options.signal?.aborted) {
      throw new SedimentError("aborted", "reading the Avro file was stopped", {
        cause: options.signal.reason,
      });
    }
    const offset = cursor.position;
    const room = Math.min(limits.blockBytes, limits.decodedBytes - decoded);
    const block = at({ block: index }, () => readBlock(cursor, header, room, options.zstd));
    decoded += block.data.length;
    yield { index, offset, ...block };
  }
}

function readBlock(cursor: Cursor, header: AvroHeader, room: number, zstd?: Zstd) {
  const count = cursor.readCount();
  if (count < 0) throw invalid(`the block declares ${count} objects`);
  const stored = cursor.take(cursor.readLength());
  const sync = cursor.take(16);
  if (!header.sync.every((byte, index) => sync[index] === byte)) {
    throw invalid("the sync marker after the block is not the header's");
  }
  // some writers end with a block of nothing, which no codec was asked to compress
  const data = count === 0 && stored.length === 0
    ? stored
    : decompress(header.codec, stored, room, zstd);
  if (count * header.schema.minBytes > data.length) {
    throw invalid(`${count} objects do not fit the block's ${data.length} bytes`);
  }
  return { count, data };
}
