/** What merging data files takes, by their paths, for the cost model. */
import type { SchemaJson } from "../parquet/schema.ts";
import { type PlanFile, type PlanSettings, sorts } from "./data_file.ts";
import { type MergeCost, type MergePath, type MergeWork, outputCost } from "./merge_cost.ts";

/** Leaves of a schema that the catalog didn't give. */
const unknownLeaves = 32;

/** The work of one output while files are added to it. */
export class OutputWork {
  readonly #settings: PlanSettings;
  readonly #leavesOf: (fingerprint: string) => number;
  readonly #works = new Map<MergePath, MergeWork>();

  constructor(settings: PlanSettings, leavesOf: (fingerprint: string) => number) {
    this.#settings = settings;
    this.#leavesOf = leavesOf;
  }

  /** Adds a file. */
  add(file: PlanFile): this {
    const path = pathOf(file, this.#settings);
    const work = this.#works.get(path) ??
      { path, files: 0, leaves: 0, chunks: 0, values: 0, bytes: 0, plainBytes: 0 };
    const leaves = this.#leavesOf(file.schema_fingerprint);
    work.files++;
    work.leaves = Math.max(work.leaves, leaves);
    work.chunks += leaves * file.row_group_count;
    work.values += leaves * file.row_count;
    work.bytes += file.byte_length;
    work.plainBytes += file.uncompressed_bytes;
    this.#works.set(path, work);
    return this;
  }

  /** What it costs. */
  get cost(): MergeCost {
    return outputCost([...this.#works.values()]);
  }
}

/** How a file's rows get into an output, as far as the catalog tells: by row groups of the mean size. */
function pathOf(file: PlanFile, settings: PlanSettings): MergePath {
  if (sorts(settings)) return "sort";
  const healthy = file.byte_length / Math.max(1, file.row_group_count) >=
    settings.healthy_row_group_bytes;
  // a group that is copied keeps its codec
  if (healthy && file.level > 0) return "copy";
  return settings.codec === "zstd" ? "zstd" : "pages";
}

/** Counts the leaves of schemas by fingerprint. */
export function leafCounter(
  schemas: Readonly<Record<string, SchemaJson>> = {},
): (fingerprint: string) => number {
  const known = new Map<string, number>();
  return (fingerprint) => {
    let leaves = known.get(fingerprint);
    if (leaves === undefined) {
      const schema = Object.hasOwn(schemas, fingerprint) ? schemas[fingerprint] : undefined;
      leaves = schema === undefined ? unknownLeaves : Math.max(1, leavesIn(schema));
      known.set(fingerprint, leaves);
    }
    return leaves;
  };
}

function leavesIn(node: SchemaJson): number {
  if (node.children === undefined) return node.type === undefined ? 0 : 1;
  return node.children.reduce((sum, child) => sum + leavesIn(child), 0);
}
