/**
 * What of a file's chunks decides how a merge takes them, for the planner. Kept in the catalog with each data file:
 * codecs and row groups stand in footers only, and a run that read those of two thousand files before it plans
 * would spend on that what it may spend on merging.
 */
import { hasBitPackedLevels } from "../format/level_encodings.ts";
import {
  codec,
  type ColumnMetaData,
  type FileMetaData,
  type RowGroup,
} from "../format/metadata.ts";
import { heaviestPages, heavyPage, type PageWeights } from "./page_weights.ts";
import { healthyGroupBytes } from "../format/healthy_group.ts";
import type { SchemaTree } from "../format/schema.ts";

/** Codecs that the kernels leave to others. */
export type HostCodec = "gzip" | "brotli" | "zstd";

/** Column chunks that a merge takes alike, added up. */
export interface ChunkSums {
  /** Whether their row groups are large enough to be copied. */
  healthy: boolean;
  codec?: HostCodec;
  /** Whether levels are in the deprecated encoding, which is no longer written. */
  bit_packed?: true;
  chunks: number;
  /** Nulls and the entries of lists counted. */
  values: number;
  bytes: number;
  plain_bytes: number;
  /** Bytes before compression of the largest chunk. */
  largest_chunk: number;
}

/** See the module's head. */
export interface MergeFacts {
  sums: ChunkSums[];
  /** Bytes before compression of the largest row group. */
  largest_group: number;
  /** As {@link PageWeights}. */
  page: number;
  pages: number;
}

const hostCodecs: Record<number, HostCodec> = {
  [codec.GZIP]: "gzip",
  [codec.BROTLI]: "brotli",
  [codec.ZSTD]: "zstd",
};

/**
 * The facts of a file, or null where there is nothing to tell: small row groups of codecs that the kernels have.
 * That is so of most fragments, whose rows in the catalog stay small.
 *
 * @param weights of the pages, where their headers were read; else they are guessed from the footer
 */
export function mergeFacts(
  metadata: FileMetaData,
  tree: SchemaTree,
  weights: PageWeights = heaviestPages(metadata),
): MergeFacts | null {
  const gathering = new MergeFactsGathering(tree);
  for (const group of metadata.rowGroups) gathering.add(group);
  return gathering.facts(weights);
}

/** The same, row group by row group. */
export class MergeFactsGathering {
  readonly #tree: SchemaTree;
  readonly #sums = new Map<string, ChunkSums>();
  #largest = 0;

  constructor(tree: SchemaTree) {
    this.#tree = tree;
  }

  add(group: RowGroup): void {
    if (group.numRows === 0) return;
    const healthy = groupBytes(group) >= healthyGroupBytes;
    let groupPlain = 0;
    group.columns.forEach((chunk, i) => {
      const meta = chunk.metaData!;
      const plain = plainBytes(meta);
      groupPlain += plain;
      const found = sumsOf(this.#sums, {
        healthy,
        codec: hostCodecs[meta.codec],
        bitPacked: hasBitPackedLevels(meta, this.#tree.leaves[i]),
      });
      found.chunks++;
      found.values += meta.numValues;
      found.bytes += meta.totalCompressedSize;
      found.plain_bytes += plain;
      found.largest_chunk = Math.max(found.largest_chunk, plain);
    });
    this.#largest = Math.max(this.#largest, groupPlain);
  }

  facts(weights: PageWeights): MergeFacts | null {
    const all = [...this.#sums.values()];
    const ordinary = weights.page < heavyPage &&
      all.every((one) => !one.healthy && one.codec === undefined && !one.bit_packed);
    return ordinary ? null : { sums: all, largest_group: this.#largest, ...weights };
  }
}

function sumsOf(
  sums: Map<string, ChunkSums>,
  kind: { healthy: boolean; codec: HostCodec | undefined; bitPacked: boolean },
): ChunkSums {
  const key = `${kind.healthy} ${kind.codec} ${kind.bitPacked}`;
  let found = sums.get(key);
  if (found === undefined) {
    found = {
      healthy: kind.healthy,
      ...(kind.codec !== undefined && { codec: kind.codec }),
      ...(kind.bitPacked && { bit_packed: true as const }),
      chunks: 0,
      values: 0,
      bytes: 0,
      plain_bytes: 0,
      largest_chunk: 0,
    };
    sums.set(key, found);
  }
  return found;
}

function groupBytes(group: RowGroup): number {
  return group.columns.reduce((sum, chunk) => sum + chunk.metaData!.totalCompressedSize, 0);
}

/** Old DuckDB wrote 0 before compression. */
function plainBytes({ totalUncompressedSize, totalCompressedSize }: ColumnMetaData): number {
  return Math.max(totalUncompressedSize, totalCompressedSize);
}
