/** Cuts files into outputs by bytes and by what a turn can do. */
import type { HostLimits } from "../../compression/host_limits.ts";
import { dedupes, type PlanFile, type PlanSettings } from "./data_file.ts";
import { type MergeCost, outputCost } from "./merge_cost.ts";
import { leavesIn } from "./leaf_counter.ts";
import { type MergeWork, outputBytes, OutputWork, writtenChunks } from "./merge_work.ts";
import type { SchemaGroup } from "./schema_groups.ts";
import { type Oversize, oversizeOf } from "./oversized_files.ts";

/** Bounds of one output beside its target size. */
export interface OutputLimits {
  /** Most inputs: each costs a fetch and an entry in memory. @default 1000 */
  maxInputs: number;
  /** Most uncompressed bytes that one merge takes in. @default 256 MiB; when sorting 96 MiB: all rows wait in memory */
  maxUncompressedBytes: number;
  /** Most rows: they are sorted, and equal keys found, at once. @default 500,000 when sorting or deduping */
  maxRows: number;
  /**
   * Most column chunks of an output: a reader refuses a footer that is too large, and so do we (`columnChunks` and
   * `footerBytes` of the limits on inputs, at some 300 bytes a chunk). @default 32,768
   */
  maxChunks: number;
}

/**
 * What a turn may cost. Edge isolates are killed at 2 s of CPU and 256 MB; what the prediction may be off by, and what
 * a turn does beside merging, is left to them.
 */
export const turnBudget: MergeCost = { cpuMs: 1_000, memoryMb: 200 };

/**
 * What an output may come to, beside its target: of the default target that is 48 MiB, and the bucket's objects have at
 * most 50.
 */
export const mostOverTarget = 1.5;

/** What packing goes by, of one partition. */
export interface PackRules {
  settings: PlanSettings;
  limits: OutputLimits;
  budget: MergeCost;
  /** What the host that merges can decompress. */
  host: HostLimits;
  /** Whether the store takes outputs piece by piece. */
  streams: boolean;
  leavesOf: (fingerprint: string) => number;
}

/** Packs the files of one partition. */
export class OutputPacker {
  readonly #rules: PackRules;

  constructor(rules: PackRules) {
    this.#rules = rules;
  }

  /**
   * What merging files into one output takes.
   *
   * @param group of the files' schemas, where they have a union
   */
  workOf(files: readonly PlanFile[], group?: SchemaGroup): MergeWork {
    const output = this.#emptyOutput(group);
    for (const file of files) output.add(file);
    return output.work;
  }

  /** What an output costs. */
  costOf(work: MergeWork): MergeCost {
    return outputCost(work, this.#rules.streams);
  }

  /** What is too much in a file for any output, even one of it alone; undefined for most. */
  oversizeOf(file: PlanFile, group?: SchemaGroup): Oversize | undefined {
    const { settings, limits } = this.#rules;
    const work = this.workOf([file], group);
    const oversize = oversizeOf(file, work, settings);
    if (oversize !== undefined) return oversize;
    const cost = this.costOf(work);
    if (writtenChunks(work) > limits.maxChunks) {
      return { kind: "chunks", chunks: writtenChunks(work) };
    }
    const unseen = dedupes(settings) &&
      (file.row_count > limits.maxRows || file.uncompressed_bytes > limits.maxUncompressedBytes);
    return this.#isOver(cost) || unseen ? { kind: "work", cost } : undefined;
  }

  /**
   * Cuts files, in order, into outputs: one is closed when it is full grown, when the next file would take it a
   * quarter past the target, or past a limit or the budget. Some may be of a single file, which is no merge.
   */
  pack<F extends PlanFile>(files: readonly F[], group?: SchemaGroup): F[][] {
    const { target_file_bytes: targetBytes } = this.#rules.settings;
    const { maxInputs, maxUncompressedBytes, maxRows, maxChunks } = this.#rules.limits;
    const bins: F[][] = [];
    let bin: F[] = [];
    let output = this.#emptyOutput(group);
    let bytes = 0, uncompressed = 0, rows = 0;
    for (const file of files) {
      output.add(file);
      const full = bytes >= targetBytes * 0.75 || bytes + file.byte_length > targetBytes * 1.25 ||
        bin.length >= maxInputs || uncompressed + file.uncompressed_bytes > maxUncompressedBytes ||
        outputBytes(output.work) > targetBytes * mostOverTarget ||
        rows + file.row_count > maxRows || writtenChunks(output.work) > maxChunks ||
        this.#isOver(this.costOf(output.work));
      if (full && bin.length > 0) {
        bins.push(bin);
        bin = [];
        output = this.#emptyOutput(group).add(file);
        bytes = uncompressed = rows = 0;
      }
      bin.push(file);
      bytes += file.byte_length;
      uncompressed += file.uncompressed_bytes;
      rows += file.row_count;
    }
    if (bin.length > 0) bins.push(bin);
    return bins;
  }

  #emptyOutput(group?: SchemaGroup): OutputWork {
    const { settings, host, leavesOf } = this.#rules;
    const keepsSchema = (fingerprint: string) => group?.asUnion?.has(fingerprint) ?? true;
    const leaves = group?.schema === undefined ? 0 : leavesIn(group.schema);
    return new OutputWork({ settings, host, keepsSchema }, leavesOf, leaves);
  }

  #isOver({ cpuMs, memoryMb }: MergeCost): boolean {
    const { budget } = this.#rules;
    return cpuMs > budget.cpuMs || memoryMb > budget.memoryMb;
  }
}
