import { SedimentError } from "../../errors.ts";
import { checkFooter } from "../check_chunks.ts";
import { footerOfBytes, readFooter } from "../footer.ts";
import { isTrap } from "../kernels/trap.ts";
import { Zstd } from "../kernels/zstd.ts";
import { commonKeyValues } from "../key_values.ts";
import { limitsWith, type ParquetLimits } from "../limits.ts";
import { codec, type FileMetaData, type KeyValue } from "../metadata.ts";
import type { RangeReader } from "../range_reader.ts";
import { type SchemaTree, schemaTree } from "../schema.ts";
import type { ByteSink } from "../write/file_writer.ts";
import { ParquetFile } from "../write/parquet_file.ts";
import { elementsOf } from "../write/schema_elements.ts";
import type { GroupBuilder } from "./group_builder.ts";
import { freeLayout, type Layout, makeLayout } from "./known_layout.ts";
import { addLargeFile } from "./large_file.ts";
import { appendWhole, type Instance, openInstance } from "./merge_instance.ts";
import type { MergeSettings } from "./merge_settings.ts";
import type { ReadInput } from "./read_ahead.ts";
import type { RunOptions } from "./run_options.ts";
import { appendGroups, isSmall, isSmallScan, scanHasZstd } from "./small_file.ts";
import { type PlanSource, sameSchema } from "./source_plan.ts";
import { addAgain, rejection, StartedAnew, type Taking } from "./recovery.ts";

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
  /** That memory was over when the open row group's pages were cut: its inputs are to be read again. */
  #overfull: unknown;
  /** Whether an input is added to an empty instance, so that memory being over is its own fault. */
  #alone = false;
  /** Rows of the inputs that were taken. */
  rowsRead = 0;
  /** Inputs that were taken, and left out when there was no memory to write their rows, alone or with others. */
  readonly leftOut: { id: string; error: SedimentError }[] = [];

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
    await this.#addAnyhow({ id, reader, trusted, from: 0, rows: 0 }, bytes);
  }

  /** Adds an input, decoded before when the kernels don't know its pages. */
  async #addAnyhow(taking: Taking, bytes: Uint8Array | undefined): Promise<void> {
    try {
      await this.#addWithRoom(taking, taking.reader, bytes);
    } catch (error) {
      const { normalize } = this.#options;
      const unknown = error instanceof SedimentError && error.code === "unsupported_parquet" &&
        this.#instance?.builder.lastIsUnknown === true;
      if (!unknown || normalize === undefined) throw error;
      const reader = await normalize(taking.id, taking.reader, error);
      // one that was small still is, and shares a row group with its neighbours
      const decoded = bytes === undefined ? undefined : await reader.read(0, reader.size);
      await this.#addWithRoom({ ...taking, trusted: false }, reader, decoded);
    }
  }

  /** Adds an input; when memory is over for what others have waiting there, that is written first. */
  async #addWithRoom(
    taking: Taking,
    reader: RangeReader,
    bytes: Uint8Array | undefined,
  ): Promise<void> {
    let tries = 0;
    while (true) {
      try {
        return await this.#add(taking, reader, bytes);
      } catch (error) {
        if (error instanceof StartedAnew) continue;
        const builder = this.#instance?.builder;
        if (builder === undefined || !lacksMemory(error, builder)) throw error;
        if (this.#waiting.length === 0) {
          // what others left behind in the kernels' memory may be in the way
          this.#startAnew();
          if (++tries > 1) throw error;
          continue;
        }
        if (this.#dedupes) throw this.#tooManyToCompare(error);
        await this.#flushFull();
      }
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
    const taken = { ...taking, rows: totals.rowCount };
    const layout = makeLayout(kernels, tree, plan, builder.columns);
    let kept = false;
    try {
      if (bytes !== undefined && isSmall(metadata, totals.uncompressedBytes, this.#settings)) {
        kept = appendWhole(instance, layout, metadata, bytes);
        this.#waiting.push(taken);
        this.#commit(builder);
      } else await this.#addLarge(instance, layout, metadata, reader, taken);
      if (!kept) freeLayout(kernels, layout);
    } catch (error) {
      if (!isTrap(error)) freeLayout(kernels, layout); // else the kernels are given up
      throw error;
    }
    this.rowsRead += totals.rowCount;
    this.#keyValues.add(metadata.keyValues);
    if (this.isFull) await this.#flushFull();
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
    this.#waiting.push({ id: input.id, reader: input.reader, trusted: false, from: 0, rows });
    this.#commit(builder);
    this.rowsRead += rows;
    this.#keyValues.add(known.keyValues);
    return true;
  }

  /** Keeps what was appended. */
  #commit(builder: GroupBuilder): void {
    try {
      builder.commit();
    } catch (error) {
      if (!lacksMemory(error, builder)) throw error;
      this.#overfull = error;
    }
  }

  /** Whether the open row group has its size, or more than there is memory for. */
  get isFull(): boolean {
    return this.#overfull !== undefined || this.#instance?.builder.isFull === true;
  }

  /** Writes the open row group. */
  async flush(): Promise<void> {
    await this.#flushFull();
  }

  async #flushFull(): Promise<void> {
    await this.#flush();
    this.#ranges++;
  }

  /** Writes the open row group; when there is no memory to, its inputs are read again and written one by one. */
  async #flush(): Promise<void> {
    const builder = this.#instance?.builder;
    if (builder === undefined) return;
    try {
      if (this.#overfull !== undefined) throw this.#overfull;
      await builder.flush(this.#file);
      this.#waiting = [];
    } catch (error) {
      if (!lacksMemory(error, builder) || this.#waiting.length === 0 || this.#alone) throw error;
      if (this.#dedupes) throw this.#tooManyToCompare(error);
      await this.#writeEach();
    }
  }

  /**
   * Writes the inputs that wait one by one, each from an instance of its own: what the present one holds is given up.
   * An input for which there is no memory even so is left out.
   */
  async #writeEach(): Promise<void> {
    const waiting = this.#waiting;
    let { rowsRead } = this;
    this.#alone = true;
    try {
      for (const taking of waiting) {
        this.#startAnew();
        const groups = this.#file.groupCount;
        try {
          const add = this.#addAnyhow.bind(this);
          await addAgain([taking], this.#settings.wholeFileBytes, add, this.#options.signal);
          await this.#flush();
        } catch (error) {
          const reason = rejection(error, taking.id);
          // row groups of others stand behind those that it has in the file
          if (taking.from > 0) throw this.#noMemory(error);
          if (isTrap(error)) this.#zstd = undefined;
          this.#file.dropGroups(groups);
          this.leftOut.push({ id: taking.id, error: reason });
          rowsRead -= taking.rows;
        }
      }
    } finally {
      this.#alone = false;
    }
    this.#startAnew();
    this.rowsRead = rowsRead;
  }

  #noMemory(cause: unknown): SedimentError {
    const { memoryBytes } = this.#settings.kernels;
    return new SedimentError(
      "misconfigured",
      `${memoryBytes} bytes of memory are too few to write the rows of the inputs`,
      { cause },
    );
  }

  /** Gives up the kernels and all that waits there. */
  #startAnew(): void {
    this.#waiting = [];
    this.#overfull = undefined;
    this.#droppedBefore += this.#instance?.builder.dropped ?? 0;
    this.#instance = undefined;
  }

  /**
   * After a trap of the kernels: what their memory holds may be anything, so a new instance reads the inputs again
   * whose rows wait in it. To be called when {@link add} threw; what it was adding is left out.
   */
  async recover(): Promise<void> {
    const waiting = this.#waiting, rowsRead = this.rowsRead;
    this.#startAnew();
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
    this.#instance ??= openInstance(this.#settings, this.#schema!, this.#options.order, this.#zstd);
    return this.#instance;
  }

  async #addLarge(
    { kernels, builder }: Instance,
    layout: Layout,
    metadata: FileMetaData,
    reader: RangeReader,
    taking: Taking,
  ): Promise<void> {
    const { trusted, from } = taking;
    const stillThere = async (step: Promise<void>) => {
      await step;
      if (this.#instance?.builder !== builder) throw new StartedAnew();
    };
    const written = await addLargeFile({
      kernels,
      builder,
      file: this.#file,
      settings: this.#settings,
      ordered: this.#options.order !== undefined,
      dedupes: this.#dedupes,
      flush: () => stillThere(this.#flush()),
      flushFull: () => stillThere(this.#flushFull()),
      commit: () => this.#commit(builder),
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
    if ((this.#instance?.builder.rows ?? 0) > 0) await this.#flushFull();
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

/** Whether an error says that there was no memory, and nothing else against the input. */
function lacksMemory(error: unknown, builder: GroupBuilder): boolean {
  return error instanceof SedimentError && error.code === "page_too_large" && builder.lastIsMemory;
}
