/** Cuts files into outputs by bytes and by what a turn can do. */
import { dedupes, type PlanFile, type PlanSettings, sorts } from "./data_file.ts";
import type { MergeCost } from "./merge_cost.ts";
import { OutputWork } from "./merge_work.ts";

/** Bounds of one output beside its target size. */
export interface OutputLimits {
  /** Most inputs: each costs a fetch and an entry in memory. @default 1000 */
  maxInputs: number;
  /** Most uncompressed bytes that one merge takes in. @default 256 MiB; when deduping 46 MiB: all rows wait in memory */
  maxUncompressedBytes: number;
  /** Most rows; equal keys are found only among rows that are sorted at once. @default 250,000 when deduping */
  maxRows: number;
}

/**
 * What a turn may cost. Edge isolates are killed at 2 s of CPU and 256 MB; what the prediction may be off by, and what
 * a turn does beside merging, is left to them.
 */
export const turnBudget: MergeCost = { cpuMs: 1_000, memoryMb: 200 };

/**
 * Row groups that are larger before compression keep their file out of outputs: one that is sorted waits in memory
 * whole; others are merged in slices, but a writer may have made a single page of each column, which must be in
 * memory whole too. To be left alone is no harm: they scan well as they are.
 */
const largestGroup = { sorted: 46 * 1024 * 1024, merged: 64 * 1024 * 1024 };

/** Packs the files of one partition. */
export class OutputPacker {
  readonly #settings: PlanSettings;
  readonly #limits: OutputLimits;
  readonly #budget: MergeCost;
  readonly #leavesOf: (fingerprint: string) => number;

  constructor(
    settings: PlanSettings,
    limits: OutputLimits,
    budget: MergeCost,
    leavesOf: (fingerprint: string) => number,
  ) {
    this.#settings = settings;
    this.#limits = limits;
    this.#budget = budget;
    this.#leavesOf = leavesOf;
  }

  /** What merging files into one output costs. */
  costOf(files: readonly PlanFile[]): MergeCost {
    const work = new OutputWork(this.#settings, this.#leavesOf);
    for (const file of files) work.add(file);
    return work.cost;
  }

  /**
   * Whether a file fits into no output, even alone: a tiny one can declare 2^30 nulls, and of a table that dedupes all
   * rows must be looked at together.
   */
  isTooMuch(file: PlanFile): boolean {
    if (this.#isOver(this.costOf([file]))) return true;
    const mean = file.uncompressed_bytes / Math.max(1, file.row_group_count);
    if (mean > (sorts(this.#settings) ? largestGroup.sorted : largestGroup.merged)) return true;
    return dedupes(this.#settings) &&
      (file.row_count > this.#limits.maxRows ||
        file.uncompressed_bytes > this.#limits.maxUncompressedBytes);
  }

  /**
   * Cuts files, in order, into outputs: one is closed when it is full grown, when the next file would take it a
   * quarter past the target, or past a limit or the budget. A single file is no merge and is left alone.
   */
  pack<F extends PlanFile>(files: readonly F[]): F[][] {
    const { target_file_bytes: targetBytes } = this.#settings;
    const { maxInputs, maxUncompressedBytes, maxRows } = this.#limits;
    const bins: F[][] = [];
    let bin: F[] = [];
    let work = new OutputWork(this.#settings, this.#leavesOf);
    let bytes = 0, uncompressed = 0, rows = 0;
    for (const file of files) {
      work.add(file);
      const full = bytes >= targetBytes * 0.75 || bytes + file.byte_length > targetBytes * 1.25 ||
        bin.length >= maxInputs || uncompressed + file.uncompressed_bytes > maxUncompressedBytes ||
        rows + file.row_count > maxRows || this.#isOver(work.cost);
      if (full && bin.length > 0) {
        bins.push(bin);
        bin = [];
        work = new OutputWork(this.#settings, this.#leavesOf).add(file);
        bytes = uncompressed = rows = 0;
      }
      bin.push(file);
      bytes += file.byte_length;
      uncompressed += file.uncompressed_bytes;
      rows += file.row_count;
    }
    if (bin.length > 0) bins.push(bin);
    return bins.filter((inputs) => inputs.length > 1);
  }

  #isOver({ cpuMs, memoryMb }: MergeCost): boolean {
    return cpuMs > this.#budget.cpuMs || memoryMb > this.#budget.memoryMb;
  }
}
