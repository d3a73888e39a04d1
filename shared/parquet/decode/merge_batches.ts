import { asSedimentError, type SedimentError } from "../../errors.ts";
import type { InputFile } from "../input_file.ts";
import type { MergeTarget } from "../merge_plan.ts";
import type { OutputFile } from "../output_file.ts";
import { atPlace, parquetError } from "../parquet_error.ts";
import { throwIfAborted } from "../range_reader.ts";
import type { SchemaTree } from "../schema.ts";
import type { LoadedGroup } from "./joined_file.ts";
import { rewriteGroups } from "./rewrite_groups.ts";
import type { RewriteOptions } from "./wasm_instance.ts";
import type { WasmPool } from "./wasm_pool.ts";

/** Bytes, decompressed, that are decoded at once: arrays in wasm memory take about twice as much. */
const batchBytes = 32 * 1024 * 1024;

/** A row group over this size, decompressed, would not fit into the decoder's memory. */
const largestGroupBytes = 48 * 1024 * 1024;

interface Unit {
  input: InputFile;
  groups: LoadedGroup[];
  compressed: number;
  uncompressed: number;
}

/**
 * Gathers whole inputs until they make a row group, then decodes and writes them together. An input is either in
 * the output with all of its rows or not at all: one that is too large for a batch is decoded once for trial
 * before any of it is written.
 */
export class MergeBatches {
  /** Inputs whose rows were written. */
  readonly merged: InputFile[] = [];
  readonly rejected: { id: string; error: SedimentError }[] = [];
  readonly #pool: WasmPool;
  readonly #tree: SchemaTree;
  readonly #target: MergeTarget;
  readonly #output: OutputFile;
  readonly #signal: AbortSignal | undefined;
  readonly #write: RewriteOptions;
  #pending: Unit[] = [];
  #compressed = 0;
  #uncompressed = 0;

  constructor(
    pool: WasmPool,
    tree: SchemaTree,
    target: MergeTarget,
    output: OutputFile,
    signal?: AbortSignal,
  ) {
    this.#pool = pool;
    this.#tree = tree;
    this.#target = target;
    this.#output = output;
    this.#signal = signal;
    this.#write = {
      codec: target.codec,
      dictionary: true,
      pageBytes: target.pageBytes,
      statistics: true,
    };
  }

  /** Takes an input. Throws its fault when it is known at once; later ones are in {@link rejected}. */
  async add(input: InputFile): Promise<void> {
    const { compressedBytes, uncompressedBytes } = input.facts;
    if (uncompressedBytes > batchBytes) return await this.#addLarge(input);
    const groups: LoadedGroup[] = [];
    for (const index of input.groups) groups.push(await this.#load(input, index));
    if (this.#uncompressed + uncompressedBytes > batchBytes) await this.#flush();
    this.#pending.push({
      input,
      groups,
      compressed: compressedBytes,
      uncompressed: uncompressedBytes,
    });
    this.#compressed += compressedBytes;
    this.#uncompressed += uncompressedBytes;
    if (this.#compressed >= this.#target.rowGroupBytes) await this.#flush();
  }

  /** Writes what is left. */
  async finish(): Promise<void> {
    await this.#flush();
  }

  async #load(input: InputFile, index: number): Promise<LoadedGroup> {
    const chunks = await input.readGroup(index, this.#signal);
    const group = input.group(index);
    return {
      numRows: group.numRows,
      chunks: chunks.map((bytes, i) => ({ meta: group.columns[i].metaData!, bytes })),
    };
  }

  async #addLarge(input: InputFile): Promise<void> {
    for (const index of input.groups) {
      const size = input.group(index).columns
        .reduce((sum, chunk) => sum + chunk.metaData!.totalUncompressedSize, 0);
      if (size > largestGroupBytes) {
        throw parquetError(
          "unsupported_parquet",
          `the row group takes ${size} bytes decompressed, over the ${largestGroupBytes} that are decoded at once`,
          { file: input.id, rowGroup: index },
        );
      }
    }
    for (const index of input.groups) {
      const group = await this.#load(input, index);
      try {
        rewriteGroups(this.#pool, this.#tree, [group], this.#write);
      } catch (error) {
        throw atPlace(error, { file: input.id, rowGroup: index });
      }
    }
    await this.#flush();
    for (const index of input.groups) {
      const group = await this.#load(input, index);
      await this.#output.append(rewriteGroups(this.#pool, this.#tree, [group], this.#write));
    }
    this.merged.push(input);
  }

  async #flush(): Promise<void> {
    throwIfAborted(this.#signal);
    let units = this.#pending;
    this.#pending = [];
    this.#compressed = 0;
    this.#uncompressed = 0;
    let written = this.#try(units);
    if (written === undefined) {
      // at least one is broken: find out which, and write the others
      units = units.filter((unit) => {
        const error = this.#faultOf(unit);
        if (error !== undefined) this.rejected.push({ id: unit.input.id, error });
        return error === undefined;
      });
      written = units.length === 0 ? [] : [this.#rewrite(units)];
    }
    for (const group of written) if (group.numRows > 0) await this.#output.append(group);
    this.merged.push(...units.map((unit) => unit.input));
  }

  #rewrite(units: readonly Unit[]): LoadedGroup {
    const groups = units.flatMap((unit) => unit.groups);
    if (groups.length === 0) return { numRows: 0, chunks: [] };
    return rewriteGroups(this.#pool, this.#tree, groups, this.#write);
  }

  #try(units: readonly Unit[]): LoadedGroup[] | undefined {
    try {
      return units.length === 0 ? [] : [this.#rewrite(units)];
    } catch {
      return undefined;
    }
  }

  #faultOf(unit: Unit): SedimentError | undefined {
    try {
      this.#rewrite([unit]);
      return undefined;
    } catch (error) {
      const fault = asSedimentError(atPlace(error, { file: unit.input.id }));
      if (fault.status >= 500) throw fault;
      return fault;
    }
  }
}
