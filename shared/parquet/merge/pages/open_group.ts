import { SedimentError } from "../../../errors.ts";
import { isTrap } from "../../kernels/trap.ts";
import { Zstd } from "../../../compression/zstd.ts";
import { codec } from "../../format/metadata.ts";
import type { SchemaTree } from "../../format/schema.ts";
import type { ParquetFile } from "../../write/parquet_file.ts";
import type { GroupBuilder } from "./group_builder.ts";
import { type Instance, openInstance } from "./merge_instance.ts";
import type { MergeSettings } from "./merge_settings.ts";
import type { Rejection } from "../union/set_apart.ts";
import { addAgain, rejection, type Taking } from "./recovery.ts";
import type { RunOptions } from "./run_options.ts";

/** Adds an input, whose bytes are given when it was read whole. */
type Add = (taking: Taking, bytes: Uint8Array | undefined) => Promise<void>;

/**
 * The open row group of a merge: the kernels that hold it, the inputs whose rows wait there, and what is done when there
 * is no memory to write them.
 */
export class OpenGroup {
  readonly #file: ParquetFile;
  readonly #settings: MergeSettings;
  readonly #options: RunOptions;
  readonly #add: Add;
  #instance: Instance | undefined;
  #zstd: Zstd | undefined;
  /** Inputs with rows in the open row group. */
  #waiting: Taking[] = [];
  /** Rows that instances which trapped had left out of what they wrote, and of them those of `drop` by origin. */
  #droppedBefore = 0;
  readonly #deletedBefore = new Map<number, number>();
  /** Ranges of sorted rows that former instances wrote. */
  #rangesBefore = 0;
  /** That memory was over when the open row group's pages were cut: its inputs are to be read again. */
  #overfull: unknown;
  /** Whether an input is added to an empty instance, so that memory being over is its own fault. */
  #alone = false;
  /** Rows of the inputs that were taken. */
  rowsRead = 0;
  /** Inputs that were taken, and left out when there was no memory to write their rows, alone or with others. */
  readonly leftOut: Rejection[] = [];

  /** @param add takes an input again whose rows waited */
  constructor(file: ParquetFile, settings: MergeSettings, options: RunOptions, add: Add) {
    this.#file = file;
    this.#settings = settings;
    this.#options = options;
    this.#add = add;
  }

  /** The kernels and what they hold; undefined before {@link open} and once they were given up. */
  get instance(): Instance | undefined {
    return this.#instance;
  }

  /** Whether rows of no input wait. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Whether the open row group has its size, or more than there is memory for. */
  get isFull(): boolean {
    return this.#overfull !== undefined || this.#instance?.builder.isFull === true;
  }

  /** Rows that were left out, by deduplication or for where they came from. */
  get droppedRows(): number {
    return this.#droppedBefore + (this.#instance?.builder.dropped ?? 0);
  }

  /** Ranges of rows that were sorted and written, each by itself: one, unless there was no memory for all rows. */
  get ranges(): number {
    return this.#rangesBefore + (this.#instance?.builder.ranges ?? 0);
  }

  /** Rows that were left out for where they came from, by origin. */
  get deletedRows(): Map<number, number> {
    const all = new Map(this.#deletedBefore);
    for (const [origin, rows] of this.#instance?.builder.deleted ?? []) {
      all.set(origin, (all.get(origin) ?? 0) + rows);
    }
    return all;
  }

  /** Whether rows of equal keys are left out. */
  get dedupes(): boolean {
    return (this.#options.order?.dedupe?.length ?? 0) > 0;
  }

  /** Makes kernels and columns when they are first needed, and zstd where it is written. */
  async open(schema: SchemaTree): Promise<Instance> {
    if (this.#settings.codec === codec.ZSTD) this.#zstd ??= await Zstd.open(this.#options.zstd);
    const { order, drop } = this.#options;
    this.#instance ??= openInstance(this.#settings, schema, order, this.#zstd, drop);
    return this.#instance;
  }

  /** Notes an input whose rows wait now. */
  wait(taking: Taking): void {
    this.#waiting.push(taking);
  }

  /** Keeps what was appended. */
  commit(builder: GroupBuilder): void {
    try {
      builder.commit();
    } catch (error) {
      if (!lacksMemory(error, builder)) throw error;
      this.#overfull = error;
    }
  }

  /** Writes the open row group; when there is no memory to, its inputs are read again and written one by one. */
  async flush(): Promise<void> {
    const builder = this.#instance?.builder;
    if (builder === undefined) return;
    try {
      if (this.#overfull !== undefined) throw this.#overfull;
      await builder.flush(this.#file);
      this.#waiting = [];
    } catch (error) {
      if (!lacksMemory(error, builder) || this.#waiting.length === 0 || this.#alone) throw error;
      if (this.dedupes) throw this.tooManyToCompare(error);
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
        this.startAnew();
        const groups = this.#file.groupCount;
        try {
          await this.#addAgain([taking]);
          await this.flush();
        } catch (error) {
          const left = rejection(error, taking.id);
          // row groups of others stand behind those that it has in the file
          if (taking.from > 0) throw this.#noMemory(error);
          if (isTrap(error)) this.#zstd = undefined;
          this.#file.dropGroups(groups);
          this.leftOut.push(lacksMemory(error, this.#instance?.builder) ? alone(left) : left);
          rowsRead -= taking.rows;
        }
      }
    } finally {
      this.#alone = false;
    }
    this.startAnew();
    this.rowsRead = rowsRead;
  }

  #noMemory(cause: unknown): SedimentError {
    const { memoryBytes } = this.#settings.kernels;
    return new SedimentError(
      "merge_too_large",
      `${memoryBytes} bytes of memory are too few to write the rows of the inputs`,
      { cause },
    );
  }

  /** Gives up the kernels and all that waits there. */
  startAnew(): void {
    this.#waiting = [];
    this.#overfull = undefined;
    this.#droppedBefore += this.#instance?.builder.dropped ?? 0;
    this.#rangesBefore += this.#instance?.builder.ranges ?? 0;
    for (const [origin, rows] of this.deletedRows) this.#deletedBefore.set(origin, rows);
    this.#instance = undefined;
  }

  /** Reads the inputs again whose rows wait, into new kernels: what the memory of the present ones holds may be anything. */
  async recover(): Promise<void> {
    const waiting = this.#waiting, rowsRead = this.rowsRead;
    this.startAnew();
    this.#zstd = undefined;
    await this.#addAgain(waiting);
    this.rowsRead = rowsRead;
  }

  async #addAgain(waiting: readonly Taking[]): Promise<void> {
    await addAgain(waiting, this.#settings.wholeFileBytes, this.#add, this.#options.signal);
  }

  /** The error of a merge that deduplicates and has more rows than wait at once. */
  tooManyToCompare(cause?: unknown): SedimentError {
    const { sortRows, sortBytes } = this.#settings;
    return new SedimentError(
      "merge_too_large",
      `the plan's rows, ${this.rowsRead} by now, are too many to find equal keys among them at once`,
      {
        expected: `up to ${sortRows} rows and ${sortBytes} bytes in a merge that deduplicates`,
        cause,
      },
    );
  }

  /** Writes what waits, as the last row group. */
  async finish(): Promise<void> {
    if ((this.#instance?.builder.rows ?? 0) > 0) await this.flush();
    if (this.dedupes && this.ranges > 1) throw this.tooManyToCompare();
  }
}

/** Whether an error says that there was no memory, and nothing else against the input. */
export function lacksMemory(error: unknown, builder: GroupBuilder | undefined): boolean {
  return error instanceof SedimentError && error.code === "page_too_large" &&
    builder?.lastIsMemory === true;
}

/** Of a file that is sound, and more than there is memory for even alone. */
export function alone(rejection: Rejection): Rejection {
  return { ...rejection, apart: "memory" };
}
