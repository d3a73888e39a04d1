/** What merging data files takes, path by path, for the cost model and the plan's words. */
import { MiB } from "../../parquet/format/healthy_group.ts";
import type { ChunkSums, HostCodec } from "../../parquet/inspect/merge_facts.ts";
import { chunksOf, type MergePath, type PathContext, pathOf } from "./chunk_paths.ts";
import { leavesOut, type PlanFile, sorts } from "./data_file.ts";

/** Chunks added up. */
export interface PathWork {
  chunks: number;
  /** Nulls and the entries of lists counted. */
  values: number;
  /** Bytes as stored. */
  bytes: number;
  /** Bytes of all pages before compression. */
  plainBytes: number;
}

/** What one output takes. */
export interface MergeWork {
  files: number;
  /** Bytes of all inputs as stored. */
  bytes: number;
  /** Columns of the output. */
  leaves: number;
  paths: Record<MergePath, PathWork>;
  /** Chunks of row groups past each file's first that are not copied: of all files, and of one at most. */
  furtherChunks: number;
  furthestChunks: number;
  /** Bytes of the output's pages, about: what other codecs pack better than the output's grows. */
  writtenBytes: number;
  /** Bytes that pages of other codecs than the kernels' unpack to, where they are unpacked. */
  unpacked: Record<HostCodec, number>;
  /** What is in files of which rows are left out, where it is not sorted anyway. */
  filtered: PathWork;
  /** Rows are sorted, or of equal keys the last is looked for. */
  sorts: boolean;
  /** Pages are written in zstd. */
  writesZstd: boolean;
  /** Whether the host unpacks gzip itself, with a bound. */
  hostGzip: boolean;
  /** Compressed bytes that the open row group may come to before it is written. */
  openBytes: number;
  /** What the heaviest page takes that is looked at on its way ({@link PageWeights}). */
  checkedPage: number;
  /** The same of one that is joined, and of those of all columns of a row group, whose room is kept. */
  joinedPage: number;
  joinedPages: number;
  /** Of the files that are decoded: bytes as stored of the largest, and of a chunk before compression. */
  decodedFile: number;
  decodedChunk: number;
}

/** Row groups of up to these bytes that are not copied wait as a whole (`mergeGroupBytes` of the merge). */
const wholeGroupBytes = 20 * MiB;

/** The merge's own target when the settings say none. */
const defaultGroupBytes = 8 * MiB;

/** About how many column chunks an output has: those that are copied, and those of the row groups that are made. */
export function writtenChunks({ paths, leaves, openBytes }: MergeWork): number {
  const { copy, check, pages, decode } = paths;
  const groups = Math.ceil((pages.bytes + decode.bytes) / Math.max(1, openBytes));
  return copy.chunks + check.chunks + groups * leaves;
}

/** Bytes of a chunk's metadata in a footer, about. */
const chunkFooterBytes = 300;

/** About how large an output gets: its pages and its footer. */
export function outputBytes(work: MergeWork): number {
  return work.writtenBytes + writtenChunks(work) * chunkFooterBytes;
}

/** How much larger Snappy is than what gzip, brotli or zstd made, and how small it gets at best (copies of 64 bytes in 3). */
const snappy = { growth: 2, best: 1 / 21 };

/** Bytes that chunks take once they are written in the output's codec, about. */
function writtenAs({ bytes, plain_bytes: plain, codec }: ChunkSums, written = "snappy"): number {
  if (written === "uncompressed") return plain;
  if (written !== "snappy" || codec === undefined) return bytes;
  return Math.max(bytes, Math.min(plain, Math.max(bytes * snappy.growth, plain * snappy.best)));
}

const nothing = (): PathWork => ({ chunks: 0, values: 0, bytes: 0, plainBytes: 0 });

/** The work of one output while files are added to it. */
export class OutputWork {
  readonly #context: PathContext;
  readonly #leavesOf: (fingerprint: string) => number;
  readonly work: MergeWork;

  /** @param leaves of the output, where its inputs' schemas are united */
  constructor(context: PathContext, leavesOf: (fingerprint: string) => number, leaves = 0) {
    this.#context = context;
    this.#leavesOf = leavesOf;
    const { settings, host } = context;
    this.work = {
      files: 0,
      bytes: 0,
      leaves,
      paths: noWork(),
      furtherChunks: 0,
      furthestChunks: 0,
      writtenBytes: 0,
      unpacked: { gzip: 0, brotli: 0, zstd: 0 },
      filtered: nothing(),
      sorts: sorts(settings),
      writesZstd: settings.codec === "zstd",
      hostGzip: host.gzip,
      openBytes: settings.target_row_group_bytes ?? defaultGroupBytes,
      checkedPage: 0,
      joinedPage: 0,
      joinedPages: 0,
      decodedFile: 0,
      decodedChunk: 0,
    };
  }

  /** Adds a file. */
  add(file: PlanFile): this {
    const { work } = this;
    const leaves = this.#leavesOf(file.schema_fingerprint);
    work.files++;
    work.bytes += file.byte_length;
    work.leaves = Math.max(work.leaves, leaves);
    let joined = 0;
    for (const { sums, path } of this.#partsOf(file, leaves)) {
      this.#addChunks(file, sums, path);
      const copied = path === "copy" || path === "check";
      if (!copied) joined += sums.chunks;
      work.writtenBytes += copied ? sums.bytes : writtenAs(sums, this.#context.settings.codec);
    }
    const further = Math.max(0, joined - leaves);
    work.furtherChunks += further;
    work.furthestChunks = Math.max(work.furthestChunks, further);
    return this;
  }

  /**
   * The chunks of a file by kind and path. Of one of which rows are left out those in row groups that hold some are not
   * copied. Which these are the catalog doesn't know; but where nothing is sorted the rows of an upload lie together.
   */
  *#partsOf(file: PlanFile, leaves: number): Generator<{ sums: ChunkSums; path: MergePath }> {
    const { work } = this;
    const groups = 2 * (file.drop?.length ?? 0);
    const share = Math.min(1, groups / Math.max(1, file.row_group_count));
    for (const sums of chunksOf(file, leaves)) {
      const path = pathOf(sums, file, this.#context);
      if (share === 0 || work.sorts || path === "pages" || path === "decode") {
        yield { sums, path };
        continue;
      }
      yield { sums: partOf(sums, share), path: "pages" };
      if (share < 1) yield { sums: partOf(sums, 1 - share), path };
    }
  }

  #addChunks(file: PlanFile, sums: ChunkSums, path: MergePath): void {
    const { work } = this;
    addTo(work.paths[path], sums);
    if (leavesOut(file) && !work.sorts && path === "pages") addTo(work.filtered, sums);
    if (path === "copy") return;
    if (path === "decode") {
      work.decodedFile = Math.max(work.decodedFile, file.byte_length);
      work.decodedChunk = Math.max(work.decodedChunk, sums.largest_chunk);
      return;
    }
    if (sums.codec !== undefined) work.unpacked[sums.codec] += sums.plain_bytes;
    const { page = 0, pages = 0, largest_group = file.uncompressed_bytes } = file.merge_facts ?? {};
    if (path === "check") {
      work.checkedPage = Math.max(work.checkedPage, page);
      return;
    }
    work.joinedPage = Math.max(work.joinedPage, page);
    work.joinedPages = Math.max(work.joinedPages, pages);
    if (work.sorts || !sums.healthy) return;
    // of the largest row group the compressed bytes, by how well all of its kind do
    const largest = largest_group * sums.bytes / Math.max(1, sums.plain_bytes);
    work.openBytes = Math.max(work.openBytes, Math.min(wholeGroupBytes, largest));
  }
}

function partOf(sums: ChunkSums, share: number): ChunkSums {
  return {
    ...sums,
    chunks: Math.ceil(sums.chunks * share),
    values: sums.values * share,
    bytes: sums.bytes * share,
    plain_bytes: sums.plain_bytes * share,
  };
}

function addTo(sum: PathWork, sums: ChunkSums): void {
  sum.chunks += sums.chunks;
  sum.values += sums.values;
  sum.bytes += sums.bytes;
  sum.plainBytes += sums.plain_bytes;
}

/** No chunk on any path. */
export function noWork(): MergeWork["paths"] {
  return { copy: nothing(), check: nothing(), pages: nothing(), decode: nothing() };
}
