import { InputFile } from "./input_file.ts";
import { canUnpack } from "../../kernels/codecs.ts";
import type { ParquetLimits } from "../../format/limits.ts";
import type { ColumnMetaData } from "../../format/metadata.ts";
import { atPlace, parquetError, type ParquetPlace } from "../../format/parquet_error.ts";
import { bytesReader, type RangeReader } from "../../format/range_reader.ts";
import { leafTree } from "./leaf_tree.ts";
import { SetApart } from "../union/set_apart.ts";
import { joinGroups, type LoadedGroup } from "./joined_file.ts";
import { rewriteGroups } from "./rewrite_groups.ts";
import type { RewriteOptions } from "./wasm_instance.ts";
import type { WasmLoader } from "../../../wasm/pinned_module.ts";
import { WasmPool } from "./wasm_pool.ts";

/** How inputs are normalised. */
export interface NormalizeOptions {
  limits?: Partial<ParquetLimits>;
  signal?: AbortSignal;
  /** Where parquet_wasm_bg.wasm comes from. @default node_modules of the checkout */
  wasm?: WasmLoader;
}

/** A file over this size, decompressed, is not normalised: it is held in memory as a whole. */
const largestFileBytes = 96 * 1024 * 1024;

/** A column chunk over this size, decompressed, does not fit into the decoder's memory three times. */
const largestChunkBytes = 32 * 1024 * 1024;

/** Most bytes of decoded chunks, compressed again: they are in memory twice when they are joined. */
const mostHeldBytes = 40 * 1024 * 1024;

/** Forms that the page merge knows best, and that keep the file small while it waits. */
const form: RewriteOptions = {
  codec: "snappy",
  dictionary: true,
  pageBytes: 1024 * 1024,
  statistics: false,
};

/**
 * A function that gives an input again with the same schema, levels and values in pages that the kernels know, for
 * files with brotli on hosts without a limit for it and the like. One column chunk is decoded at a time, and only
 * those of such a codec where there are any. Throws
 * `invalid_parquet` when its pages can't be decoded, {@link SetApart} when it is too large for that.
 */
export function normalizer(
  options: NormalizeOptions = {},
): (id: string, reader: RangeReader) => Promise<RangeReader> {
  let pool: WasmPool | undefined;
  return async (id, reader) => {
    pool ??= await WasmPool.open(options.wasm);
    return await normalize(pool, id, reader, options);
  };
}

async function normalize(
  pool: WasmPool,
  id: string,
  reader: RangeReader,
  { limits, signal }: NormalizeOptions,
): Promise<RangeReader> {
  const input = await InputFile.open(id, reader, limits, signal);
  checkSize(input.facts.uncompressedBytes, largestFileBytes, { file: id });
  const { tree, footer } = input.facts;
  const groups: LoadedGroup[] = [];
  const trees = tree.leaves.map(leafTree);
  let held = 0;
  // where codecs are what the kernels don't know, chunks of others can stay as they are
  const byCodec = input.groups.some((index) =>
    input.group(index).columns.some(({ metaData }) => !canUnpack(metaData!.codec))
  );
  const stays = ({ codec }: ColumnMetaData) => byCodec && canUnpack(codec);
  for (const index of input.groups) {
    const { columns, numRows } = input.group(index);
    columns.forEach(({ metaData }, i) => {
      if (stays(metaData!)) return;
      const place = { file: id, rowGroup: index, column: tree.leaves[i].path };
      checkSize(metaData!.totalUncompressedSize, largestChunkBytes, place);
    });
    const bytes = await input.readGroup(index, signal);
    const chunks = columns.map(({ metaData }, i) => {
      try {
        const chunk = { meta: metaData!, bytes: bytes[i] };
        if (stays(metaData!)) return chunk;
        const group = rewriteGroups(pool, trees[i], [{ numRows, chunks: [chunk] }], form);
        return group.chunks[0];
      } catch (error) {
        throw atPlace(error, { file: id, rowGroup: index, column: tree.leaves[i].path });
      }
    });
    groups.push({ numRows, chunks });
    held += chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
    checkSize(held, mostHeldBytes, { file: id });
  }
  return bytesReader(joinGroups(groups, footer.metadata));
}

function checkSize(size: number, most: number, place: ParquetPlace): void {
  if (size <= most) return;
  const error = parquetError(
    "unsupported_parquet",
    `${size} bytes are more than the ${most} that can be decoded at once`,
    place,
  );
  throw new SetApart(error, "memory");
}
