import { InputFile } from "../input_file.ts";
import type { ParquetLimits } from "../limits.ts";
import { atPlace, parquetError } from "../parquet_error.ts";
import { bytesReader, type RangeReader } from "../range_reader.ts";
import { joinGroups, type LoadedGroup } from "./joined_file.ts";
import { rewriteGroups } from "./rewrite_groups.ts";
import type { RewriteOptions } from "./wasm_instance.ts";
import type { WasmLoader } from "./wasm_module.ts";
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

/** A row group over this size, decompressed, does not fit into the decoder's memory. */
const largestGroupBytes = 48 * 1024 * 1024;

/** Forms that the page merge knows best, and that keep the file small while it waits. */
const form: RewriteOptions = {
  codec: "snappy",
  dictionary: true,
  pageBytes: 1024 * 1024,
  statistics: false,
};

/**
 * A function that gives an input again with the same schema, levels and values in pages that the kernels know, for
 * files with Hadoop's LZ4, bit-packed levels and the like. Throws `invalid_parquet` when its pages can't be
 * decoded, `unsupported_parquet` when it is too large for that.
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
  for (const index of input.groups) {
    const { columns, numRows } = input.group(index);
    const place = { file: id, rowGroup: index };
    checkSize(
      columns.reduce((sum, chunk) => sum + chunk.metaData!.totalUncompressedSize, 0),
      largestGroupBytes,
      place,
    );
    const bytes = await input.readGroup(index, signal);
    const chunks = columns.map((chunk, i) => ({ meta: chunk.metaData!, bytes: bytes[i] }));
    try {
      groups.push(rewriteGroups(pool, tree, [{ numRows, chunks }], form));
    } catch (error) {
      throw atPlace(error, place);
    }
  }
  return bytesReader(joinGroups(groups, footer.metadata));
}

function checkSize(size: number, most: number, place: { file: string; rowGroup?: number }): void {
  if (size <= most) return;
  throw parquetError(
    "unsupported_parquet",
    `${size} bytes, decompressed, are more than the ${most} that can be decoded at once`,
    place,
  );
}
