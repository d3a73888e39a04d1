import { SedimentError } from "../../errors.ts";
import { checkFooter } from "../check_chunks.ts";
import { copyGroup } from "../copy/copy_group.ts";
import { footerOfBytes, readFooter } from "../footer.ts";
import { Kernels } from "../kernels/kernels.ts";
import { Zstd, type ZstdLoader } from "../kernels/zstd.ts";
import { commonKeyValues } from "../key_values.ts";
import { limitsWith, type ParquetLimits } from "../limits.ts";
import { codec, type FileMetaData, type KeyValue, type RowGroup } from "../metadata.ts";
import type { MergeOrder } from "../merge_plan.ts";
import { atPlace } from "../parquet_error.ts";
import { rowOrder } from "./row_order.ts";
import { type RangeReader, throwIfAborted } from "../range_reader.ts";
import { type SchemaTree, schemaTree } from "../schema.ts";
import type { ByteSink } from "../write/file_writer.ts";
import { ParquetFile } from "../write/parquet_file.ts";
import { GroupBuilder } from "./group_builder.ts";
import { fillTable, groupEntryBytes } from "./group_table.ts";
import {
  type KnownFooter,
  type Layout,
  makeLayout,
  rememberFooter,
  scanKnown,
} from "./known_layout.ts";
import { appendLargeGroup, groupBytes, type LargeGroup } from "./large_group.ts";
import type { MergeSettings } from "./merge_settings.ts";
import type { ReadInput } from "./read_ahead.ts";
import { appendInSlices } from "./sliced_group.ts";
import { type PlanSource, sameSchema } from "./source_plan.ts";

/** Gives an input in a form that the kernels know; `error` says what they didn't. */
export type Normalize = (
  id: string,
  reader: RangeReader,
  error: SedimentError,
) => Promise<RangeReader>;

/** Most values of a file that is held back until it is known to be good. */
const smallValues = 4_000_000;

/** Footers that are remembered. */
const mostKnown = 8;

/** What a run needs of the merge's options. */
export interface RunOptions {
  limits?: Partial<ParquetLimits>;
  signal?: AbortSignal;
  zstd?: ZstdLoader;
  schema?: SchemaTree;
  planSource?: (output: SchemaTree) => PlanSource;
  normalize?: Normalize;
  order?: MergeOrder;
}

/** An input that is added, or whose rows wait in the open row group. */
interface Taking {
  id: string;
  reader: RangeReader;
  /** Whether an earlier merge wrote it. */
  trusted: boolean;
  /** Its row groups with rows that are left out: they are written already. */
  from: number;
}

/** A merge under way: inputs are added one after the other, each whole or not at all. */
export class PageMerge {
  readonly #file: ParquetFile;
  readonly #settings: MergeSettings;
  readonly #options: RunOptions;
  readonly #limits: Readonly<ParquetLimits>;
  #schema: SchemaTree | undefined;
  #planSource: PlanSource | undefined;
  #kernels: Kernels | undefined;
  #zstd: Zstd | undefined;
  #builder: GroupBuilder | undefined;
  readonly #keyValues = new Set<KeyValue[] | undefined>();
  /** Footers of small files, the last one used first. */
  readonly #known: KnownFooter[] = [];
  /** Inputs with rows in the open row group. */
  #waiting: Taking[] = [];
  /** Rows that instances which trapped had left out of what they wrote. */
  #droppedBefore = 0;
  /** Row groups that were closed because they were full. */
  #ranges = 0;
  /** Rows of the inputs that were taken. */
  rowsRead = 0;

  constructor(sink: ByteSink, settings: MergeSettings, options: RunOptions) {
    this.#file = new ParquetFile(sink);
    this.#settings = settings;
    this.#options = options;
    this.#limits = limitsWith(options.limits);
    this.#schema = options.schema;
  }

  /** The output's schema; undefined while no input could be read. */
  get schema(): SchemaTree | undefined {
    return this.#schema;
  }

  /** Bytes written. */
  get byteLength(): number {
    return this.#file.writer.offset;
  }

  /**
   * Takes an input whole, or throws what is wrong with it and leaves it out.
   * @param trusted whether it is an output of an earlier merge, whose pages need not be decoded to be copied
   */
  async add(input: ReadInput, trusted = false): Promise<void> {
    if (input.error !== undefined) throw input.error;
    const { id, reader, bytes } = input;
    await this.#addAnyhow({ id, reader, trusted, from: 0 }, bytes);
  }

  /** Adds an input, decoded before when the kernels don't know its pages. */
  async #addAnyhow(taking: Taking, bytes: Uint8Array | undefined): Promise<void> {
    try {
      await this.#addWithRoom(taking, bytes);
    } catch (error) {
      const { normalize } = this.#options;
      const unknown = error instanceof SedimentError && error.code === "unsupported_parquet" &&
        this.#builder?.lastIsUnknown === true;
      if (!unknown || normalize === undefined) throw error;
      const reader = await normalize(taking.id, taking.reader, error);
      await this.#add({ ...taking, trusted: false }, reader, undefined);
    }
  }

  /** Adds an input; when memory is over for what others have waiting there, that is written first. */
  async #addWithRoom(taking: Taking, bytes: Uint8Array | undefined): Promise<void> {
    try {
      await this.#add(taking, taking.reader, bytes);
    } catch (error) {
      const builder = this.#builder;
      const full = error instanceof SedimentError && error.code === "page_too_large" &&
        builder?.lastIsMemory === true;
      if (!full || builder.rows === 0) throw error;
      if (this.#dedupes) throw this.#tooManyToCompare(error);
      await this.#flushFull(builder);
      await this.#add(taking, taking.reader, bytes);
    }
  }

  /** @param reader what is read: the input, or what it was decoded to */
  async #add(taking: Taking, reader: RangeReader, bytes: Uint8Array | undefined): Promise<void> {
    const { signal } = this.#options;
    const footer = bytes === undefined
      ? await readFooter(reader, this.#limits, signal)
      : footerOfBytes(bytes, this.#limits);
    const { metadata } = footer;
    const tree = schemaTree(metadata.schema, this.#limits);
    const totals = checkFooter(metadata, tree, footer.start, this.#limits);
    this.#schema ??= tree;
    this.#planSource ??= (this.#options.planSource ?? sameSchema)(this.#schema);
    const plan = this.#planSource(tree);
    const usesZstd = metadata.rowGroups.some((group) =>
      group.columns.some((chunk) => chunk.metaData!.codec === codec.ZSTD)
    );
    const builder = await this.#prepare(usesZstd);
    const layout = makeLayout(this.#kernels!, tree, plan, builder.columns);
    if (bytes !== undefined && this.#isSmall(metadata, totals)) {
      this.#addWhole(builder, layout, metadata, bytes);
      this.#waiting.push(taking);
      if (builder.isFull) await this.#flushFull(builder);
    } else {
      await this.#addLarge(builder, layout, metadata, reader, taking);
    }
    this.rowsRead += totals.rowCount;
    this.#keyValues.add(metadata.keyValues);
  }

  /**
   * Takes a small file whose footer is like one that was parsed before; false when it isn't: {@link add} it then.
   * To be asked after whether the row group {@link isFull}.
   */
  addKnown(input: ReadInput): boolean {
    const { bytes } = input;
    const kernels = this.#kernels, builder = this.#builder;
    if (
      bytes === undefined || kernels === undefined || builder === undefined ||
      this.#known.length === 0
    ) return false;
    const { wasm } = kernels;
    const file = kernels.input(bytes);
    const index = this.#known.findIndex((known) => scanKnown(kernels, known, file, bytes.length));
    if (index === -1) return false;
    const known = this.#known[index];
    if (
      wasm.scanLargestGroup() >= this.#settings.healthyBytes ||
      wasm.scanUncompressed() > 4 * this.#settings.wholeFileBytes ||
      wasm.scanValues() > Math.min(smallValues, this.#limits.fileValues) ||
      ((wasm.scanCodecs() >> codec.ZSTD) & 1 && this.#zstd === undefined)
    ) return false;
    const groups = wasm.scanGroups(), table = wasm.scanTable(), rows = wasm.scanRows();
    try {
      this.#appendGroups(builder, known.layout, groups, table, file);
    } catch (error) {
      // what the kernels don't know goes the long way, by which it may be decoded
      // or gets room first
      if (builder.lastIsUnknown && this.#options.normalize !== undefined) return false;
      if (builder.lastIsMemory) return false;
      throw error;
    }
    if (index > 0) this.#known.unshift(...this.#known.splice(index, 1));
    this.#waiting.push({ id: input.id, reader: input.reader, trusted: false, from: 0 });
    this.rowsRead += rows;
    this.#keyValues.add(known.keyValues);
    return true;
  }

  /** Whether the open row group has its size. */
  get isFull(): boolean {
    return this.#builder?.isFull === true;
  }

  /** Writes the open row group. */
  async flush(): Promise<void> {
    await this.#flushFull(this.#builder!);
  }

  async #flushFull(builder: GroupBuilder): Promise<void> {
    await this.#flush(builder);
    this.#ranges++;
  }

  async #flush(builder: GroupBuilder): Promise<void> {
    await builder.flush(this.#file);
    this.#waiting = [];
  }

  /**
   * After a trap of the kernels: what their memory holds may be anything, so a new instance reads the inputs again
   * whose rows wait in it. To be called when {@link add} threw; what it was adding is left out.
   */
  async recover(): Promise<void> {
    const waiting = this.#waiting, rowsRead = this.rowsRead;
    this.#waiting = [];
    this.#droppedBefore += this.#builder?.dropped ?? 0;
    this.#kernels = undefined;
    this.#builder = undefined;
    this.#zstd = undefined;
    this.#known.length = 0;
    for (const taking of waiting) {
      const { reader } = taking;
      const small = reader.size <= this.#settings.wholeFileBytes;
      const bytes = small ? await reader.read(0, reader.size, this.#options.signal) : undefined;
      await this.#addAnyhow(taking, bytes);
    }
    this.rowsRead = rowsRead;
  }

  /** Rows that deduplication left out. */
  get droppedRows(): number {
    return this.#droppedBefore + (this.#builder?.dropped ?? 0);
  }

  /** Makes kernels and columns when they are first needed, and again when zstd is needed late. */
  async #prepare(usesZstd: boolean): Promise<GroupBuilder> {
    const needsZstd = usesZstd || this.#settings.codec === codec.ZSTD;
    if (needsZstd && this.#zstd === undefined) {
      this.#zstd = await Zstd.open(this.#options.zstd);
      this.#kernels?.useZstd(this.#zstd);
    }
    this.#kernels ??= new Kernels(this.#settings.kernels, this.#zstd);
    this.#builder ??= new GroupBuilder(this.#kernels, this.#schema!, this.#settings, {
      codec: this.#settings.codec,
      zstd: this.#zstd,
      pageRows: this.#settings.pageRows,
      pageBytes: this.#settings.pageBytes,
    }, this.#options.order && rowOrder(this.#options.order, this.#schema!));
    return this.#builder;
  }

  /** Whether a file can wait in the columns as a whole until it is known to be good. */
  #isSmall(metadata: FileMetaData, totals: { uncompressedBytes: number }): boolean {
    let values = 0;
    for (const group of metadata.rowGroups) {
      if (this.#isHealthy(group)) return false;
      for (const chunk of group.columns) values += chunk.metaData!.numValues;
    }
    return totals.uncompressedBytes <= 4 * this.#settings.wholeFileBytes && values <= smallValues;
  }

  #isHealthy(group: RowGroup): boolean {
    return groupBytes(group) >= this.#settings.healthyBytes;
  }

  #addWhole(
    builder: GroupBuilder,
    layout: Layout,
    metadata: FileMetaData,
    bytes: Uint8Array,
  ): void {
    const kernels = this.#kernels!;
    const groups = metadata.rowGroups.filter((group) => group.numRows > 0);
    const table = fillTable(kernels, groups);
    const file = kernels.input(bytes);
    this.#appendGroups(builder, layout, groups.length, table, file);
    if (this.#known.length >= mostKnown) this.#known.pop();
    const known = rememberFooter(kernels, file, bytes.length, layout, metadata.keyValues);
    if (known !== undefined) this.#known.unshift(known);
  }

  /** Appends the groups of the table as one transaction. */
  #appendGroups(
    builder: GroupBuilder,
    layout: Layout,
    groups: number,
    table: number,
    file: number,
  ): void {
    const entry = groupEntryBytes(layout.tree.leaves.length);
    for (let i = 0; i < groups; i++) {
      const rows = new DataView(this.#kernels!.wasm.memory.buffer).getUint32(
        table + i * entry,
        true,
      );
      try {
        builder.appendGroup(layout, table + i * entry, file, rows);
      } catch (error) {
        builder.rollback();
        throw atPlace(error, { rowGroup: i });
      }
    }
    builder.commit();
  }

  /**
   * A file too large to be held back: its row groups are written as they come. What waits is written before, so
   * that the file's row groups are its own and can be forgotten when a later page of it is broken.
   */
  async #addLarge(
    builder: GroupBuilder,
    layout: Layout,
    metadata: FileMetaData,
    reader: RangeReader,
    taking: Taking,
  ): Promise<void> {
    const ordered = this.#options.order !== undefined;
    const uncompressed = metadata.rowGroups.reduce((sum, group) => sum + group.totalByteSize, 0);
    // rows that are to be sorted stay in the columns, where they can be rolled back, unless they are too many
    const held = ordered && (this.#dedupes || uncompressed <= this.#settings.sortBytes);
    if (held) {
      if (!this.#dedupes && builder.waitingBytes + uncompressed > this.#settings.sortBytes) {
        await this.#flush(builder);
      }
      builder.parkAll();
    } else await this.#flush(builder);
    let open = taking.from;
    const groupsBefore = this.#file.groupCount;
    const { signal } = this.#options;
    let next = 0;
    for (let i = 0; i < metadata.rowGroups.length; i++) {
      throwIfAborted(signal);
      const group = metadata.rowGroups[i];
      if (group.numRows === 0 || next++ < taking.from) continue;
      try {
        if (!ordered && layout.plan.identical && this.#isHealthy(group)) {
          await this.#flush(builder);
          await copyGroup(
            {
              reader,
              metadata,
              tree: layout.tree,
              levels: layout.levels,
              rowGroup: i,
              trusted: taking.trusted,
            },
            this.#file,
            this.#kernels!,
            this.#settings.windowBytes,
            signal,
          );
          open = next;
        } else {
          const { windowBytes } = this.#settings;
          const large = { layout, group, reader, windowBytes, signal };
          if (!ordered && groupBytes(group) > this.#settings.mergeGroupBytes) {
            await this.#flush(builder);
            await this.#addInSlices(builder, large);
            open = next;
          } else await appendLargeGroup(builder, this.#kernels!, large);
          if (!held && builder.isFull) {
            await this.#flushFull(builder);
            open = next;
          }
        }
      } catch (error) {
        if (held) builder.rollback();
        else {
          this.#file.dropGroups(groupsBefore);
          builder.reset();
        }
        throw atPlace(error, { rowGroup: i });
      }
    }
    builder.commit();
    if (open < next) this.#waiting.push({ ...taking, from: open });
    if (builder.isFull) await this.#flushFull(builder);
  }

  async #addInSlices(builder: GroupBuilder, large: LargeGroup): Promise<void> {
    const { rowGroupBytes, rowGroupRows } = this.#settings;
    const { group } = large;
    const rows = Math.floor(group.numRows * rowGroupBytes / groupBytes(group));
    const sliceRows = Math.max(1, Math.min(rowGroupRows, rows));
    await appendInSlices(
      builder,
      this.#kernels!,
      large,
      sliceRows,
      (rows) => builder.flushSlice(this.#file, rows),
    );
    builder.reset();
  }

  get #dedupes(): boolean {
    return (this.#options.order?.dedupe?.length ?? 0) > 0;
  }

  #tooManyToCompare(cause?: unknown): SedimentError {
    const { sortRows, sortBytes } = this.#settings;
    return new SedimentError(
      "misconfigured",
      `the plan's rows, ${this.rowsRead} by now, are too many to find equal keys among them at once`,
      {
        expected: `up to ${sortRows} rows and ${sortBytes} bytes in a merge that deduplicates`,
        cause,
      },
    );
  }

  /** Writes what waits, the page indexes and the footer. */
  async finish(): Promise<FileMetaData> {
    if (this.#builder !== undefined && this.#builder.rows > 0) {
      this.#ranges++;
      await this.#builder.flush(this.#file);
    }
    if (this.#dedupes && this.#ranges > 1) {
      throw this.#tooManyToCompare();
    }
    return await this.#file.finish(
      elementsOf(this.#schema!),
      this.#schema!.leaves.length,
      commonKeyValues([...this.#keyValues]),
    );
  }
}

function elementsOf(tree: SchemaTree) {
  const elements: SchemaTree["root"]["element"][] = [];
  const collect = (node: SchemaTree["root"]) => {
    elements.push(
      node.parent === undefined ? { ...node.element, repetition: undefined } : node.element,
    );
    node.children.forEach(collect);
  };
  collect(tree.root);
  return elements;
}
