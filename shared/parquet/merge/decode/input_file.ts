import { chunkExtent } from "../../inspect/check_chunks.ts";
import { checkChunkPages } from "../../inspect/check_pages.ts";
import { type FooterFacts, inspectParquet, inspectParquetBytes } from "../../inspect/inspect.ts";
import { limitsWith, type ParquetLimits } from "../../format/limits.ts";
import type { RowGroup } from "../../format/metadata.ts";
import { atPlace } from "../../format/parquet_error.ts";
import { bytesReader, type RangeReader } from "../../format/range_reader.ts";

/** Files up to this size are read by one request: a second one costs more than the bytes. */
const wholeFileBytes = 2 * 1024 * 1024;

/** Chunks are read together while the bytes between them that nobody needs stay below this. */
const largestGap = 256 * 1024;

/** A file that passed the checks of its footer, and whose row groups can be fetched. */
export class InputFile {
  readonly id: string;
  readonly facts: FooterFacts;
  readonly #reader: RangeReader;
  readonly #limits: Readonly<ParquetLimits>;
  /** Whether every page header was walked when the file was opened. */
  readonly #pagesChecked: boolean;

  private constructor(
    id: string,
    facts: FooterFacts,
    reader: RangeReader,
    limits: Readonly<ParquetLimits>,
    pagesChecked: boolean,
  ) {
    this.id = id;
    this.facts = facts;
    this.#reader = reader;
    this.#limits = limits;
    this.#pagesChecked = pagesChecked;
  }

  /** Reads and checks the footer; small files are read whole. Errors as `inspectParquet`, naming the file. */
  static async open(
    id: string,
    reader: RangeReader,
    limits?: Partial<ParquetLimits>,
    signal?: AbortSignal,
  ): Promise<InputFile> {
    const all = limitsWith(limits);
    try {
      if (reader.size > wholeFileBytes) {
        return new InputFile(id, await inspectParquet(reader, all, signal), reader, all, false);
      }
      const bytes = await reader.read(0, reader.size, signal);
      return new InputFile(id, inspectParquetBytes(bytes, all), bytesReader(bytes), all, true);
    } catch (error) {
      throw atPlace(error, { file: id });
    }
  }

  /** Indices of the row groups that have rows. */
  get groups(): number[] {
    return this.facts.footer.metadata.rowGroups.flatMap((group, i) => group.numRows > 0 ? [i] : []);
  }

  /** The row group's metadata. */
  group(index: number): RowGroup {
    return this.facts.footer.metadata.rowGroups[index];
  }

  /** Fetches the bytes of each chunk of a row group, in column order, with every page header checked. */
  async readGroup(index: number, signal?: AbortSignal): Promise<Uint8Array[]> {
    try {
      const extents = this.group(index).columns.map((chunk) => chunkExtent(chunk.metaData!));
      const start = extents.reduce((low, one) => Math.min(low, one.start), Infinity);
      const end = extents.reduce((high, one) => Math.max(high, one.start + one.length), 0);
      const used = extents.reduce((sum, one) => sum + one.length, 0);
      let chunks: Uint8Array[];
      if (end - start - used <= largestGap) {
        const span = await this.#reader.read(start, end - start, signal);
        chunks = extents.map((one) =>
          span.subarray(one.start - start, one.start - start + one.length)
        );
      } else {
        chunks = [];
        for (const one of extents) {
          chunks.push(await this.#reader.read(one.start, one.length, signal));
        }
      }
      if (!this.#pagesChecked) this.#checkPages(index, chunks);
      return chunks;
    } catch (error) {
      throw atPlace(error, { file: this.id });
    }
  }

  #checkPages(index: number, chunks: Uint8Array[]): void {
    chunks.forEach((bytes, column) => {
      const leaf = this.facts.tree.leaves[column];
      try {
        const meta = this.group(index).columns[column].metaData!;
        checkChunkPages(bytes, meta, leaf, this.#limits);
      } catch (error) {
        throw atPlace(error, { rowGroup: index, column: leaf.path });
      }
    });
  }
}
