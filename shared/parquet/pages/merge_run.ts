import { SedimentError } from "../../errors.ts";
import { checkFooter } from "../check_chunks.ts";
import { footerOfBytes, readFooter } from "../footer.ts";
import { Kernels } from "../kernels/kernels.ts";
import { isTrap } from "../kernels/trap.ts";
import { Zstd } from "../kernels/zstd.ts";
import { commonKeyValues } from "../key_values.ts";
import { limitsWith, type ParquetLimits } from "../limits.ts";
import { codec, type FileMetaData, type KeyValue } from "../metadata.ts";
import type { RangeReader } from "../range_reader.ts";
import { type SchemaTree, schemaTree } from "../schema.ts";
import type { ByteSink } from "../write/file_writer.ts";
import { ParquetFile } from "../write/parquet_file.ts";
import { GroupBuilder } from "./group_builder.ts";
import { fillTable } from "./group_table.ts";
import { KnownFooters } from "./known_footers.ts";
import { freeLayout, type Layout, makeLayout } from "./known_layout.ts";
import { addLargeFile } from "./large_file.ts";
import type { MergeSettings } from "./merge_settings.ts";
import type { ReadInput } from "./read_ahead.ts";
import { rowOrder } from "./row_order.ts";
import type { RunOptions } from "./run_options.ts";
import { appendGroups, isSmall, isSmallScan, scanHasZstd } from "./small_file.ts";
import { type PlanSource, sameSchema } from "./source_plan.ts";
import { addAgain, type Taking } from "./trap_recovery.ts";

/** What a trap makes unusable: kernels, the columns of the open row group, and the footers they remember. */
interface Instance {
  kernels: Kernels;
  builder: GroupBuilder;
  known: KnownFooters;
}

/** A merge under way: inputs are added one after the other, each whole or not at all. */
export class PageMerge {
  readonly #file: ParquetFile;
  readonly #settings: MergeSettings;
  readonly #options: RunOptions;
  readonly #limits: Readonly<ParquetLimits>;
  #schema: SchemaTree | undefined;
  #planSource: PlanSource | undefined;
  #instance: Instance | undefined;
  #zstd: Zstd | undefined;
  readonly #keyValues = new Set<KeyValue[] | undefined>();
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
        this.#instance?.builder.lastIsUnknown === true;
      if (!unknown || normalize === undefined) throw error;
      const reader = await normalize(taking.id, taking.reader, error);
      // one that was small still is, and shares a row group with its neighbours
      const decoded = bytes === undefined ? undefined : await reader.read(0, reader.size);
      await this.#add({ ...taking, trusted: false }, reader, decoded);
    }
  }

  /** Adds an input; when memory is over for what others have waiting there, that is written first. */
  async #addWithRoom(taking: Taking, bytes: Uint8Array | undefined): Promise<void> {
    try {
      await this.#add(taking, taking.reader, bytes);
    } catch (error) {
      const builder = this.#instance?.builder;
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
    const instance = await this.#prepare(usesZstd);
    const { kernels, builder } = instance;
    const layout = makeLayout(kernels, tree, plan, builder.columns);
    let kept = false;
    try {
      if (bytes !== undefined && isSmall(metadata, totals.uncompressedBytes, this.#settings)) {
        kept = this.#addWhole(instance, layout, metadata, bytes);
        this.#waiting.push(taking);
      } else await this.#addLarge(instance, layout, metadata, reader, taking);
      if (!kept) freeLayout(kernels, layout);
    } catch (error) {
      if (!isTrap(error)) freeLayout(kernels, layout); // else the kernels are given up
      throw error;
    }
    if (builder.isFull) await this.#flushFull(builder);
    this.rowsRead += totals.rowCount;
    this.#keyValues.add(metadata.keyValues);
  }

  /**
   * Takes a small file whose footer is like one that was parsed before; false when it isn't: {@link add} it then.
   * To be asked after whether the row group {@link isFull}.
   */
  addKnown(input: ReadInput): boolean {
    const { bytes } = input;
    const instance = this.#instance;
    if (bytes === undefined || instance === undefined || instance.known.isEmpty) return false;
    const { kernels, builder } = instance;
    const { wasm } = kernels;
    const file = kernels.input(bytes);
    const known = instance.known.find(file, bytes.length);
    if (
      known === undefined || !isSmallScan(kernels, this.#settings, this.#limits.fileValues) ||
      (scanHasZstd(kernels) && this.#zstd === undefined)
    ) return false;
    const groups = wasm.scanGroups(), table = wasm.scanTable(), rows = wasm.scanRows();
    try {
      appendGroups(kernels, builder, known.layout, groups, table, file);
    } catch (error) {
      // what the kernels don't know goes the long way, by which it may be decoded
      // or gets room first
      if (builder.lastIsUnknown && this.#options.normalize !== undefined) return false;
      if (builder.lastIsMemory) return false;
      throw error;
    }
    instance.known.use(known);
    this.#waiting.push({ id: input.id, reader: input.reader, trusted: false, from: 0 });
    this.rowsRead += rows;
    this.#keyValues.add(known.keyValues);
    return true;
  }

  /** Whether the open row group has its size. */
  get isFull(): boolean {
    return this.#instance?.builder.isFull === true;
  }

  /** Writes the open row group. */
  async flush(): Promise<void> {
    await this.#flushFull(this.#instance!.builder);
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
    this.#droppedBefore += this.#instance?.builder.dropped ?? 0;
    this.#instance = undefined;
    this.#zstd = undefined;
    await addAgain(
      waiting,
      this.#settings.wholeFileBytes,
      (taking, bytes) => this.#addAnyhow(taking, bytes),
      this.#options.signal,
    );
    this.rowsRead = rowsRead;
  }

  /** Rows that deduplication left out. */
  get droppedRows(): number {
    return this.#droppedBefore + (this.#instance?.builder.dropped ?? 0);
  }

  /** Makes kernels and columns when they are first needed, and again when zstd is needed late. */
  async #prepare(usesZstd: boolean): Promise<Instance> {
    const needsZstd = usesZstd || this.#settings.codec === codec.ZSTD;
    if (needsZstd && this.#zstd === undefined) {
      this.#zstd = await Zstd.open(this.#options.zstd);
      this.#instance?.kernels.useZstd(this.#zstd);
    }
    this.#instance ??= this.#makeInstance(new Kernels(this.#settings.kernels, this.#zstd));
    return this.#instance;
  }

  #makeInstance(kernels: Kernels): Instance {
    const { codec, pageRows, pageBytes } = this.#settings;
    const pages = { codec, zstd: this.#zstd, pageRows, pageBytes };
    const order = this.#options.order && rowOrder(this.#options.order, this.#schema!);
    const builder = new GroupBuilder(kernels, this.#schema!, this.#settings, pages, order);
    return { kernels, builder, known: new KnownFooters(kernels) };
  }

  /** Takes a small file as one transaction; gives whether its layout was remembered. */
  #addWhole(
    { kernels, builder, known }: Instance,
    layout: Layout,
    metadata: FileMetaData,
    bytes: Uint8Array,
  ): boolean {
    const groups = metadata.rowGroups.filter((group) => group.numRows > 0);
    const table = fillTable(kernels, groups);
    const file = kernels.input(bytes);
    appendGroups(kernels, builder, layout, groups.length, table, file);
    return known.remember(file, bytes.length, layout, metadata.keyValues);
  }

  async #addLarge(
    { kernels, builder }: Instance,
    layout: Layout,
    metadata: FileMetaData,
    reader: RangeReader,
    taking: Taking,
  ): Promise<void> {
    const { trusted, from } = taking;
    const written = await addLargeFile({
      kernels,
      builder,
      file: this.#file,
      settings: this.#settings,
      ordered: this.#options.order !== undefined,
      dedupes: this.#dedupes,
      flush: () => this.#flush(builder),
      flushFull: () => this.#flushFull(builder),
      signal: this.#options.signal,
    }, { layout, metadata, reader, trusted, from });
    if (written !== undefined) this.#waiting.push({ ...taking, from: written });
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
    const builder = this.#instance?.builder;
    if (builder !== undefined && builder.rows > 0) {
      this.#ranges++;
      await builder.flush(this.#file);
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
