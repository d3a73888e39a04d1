import { FooterCheck } from "./check_chunks.ts";
import { walkPages } from "./check_pages.ts";
import type { ChunkTable } from "./chunk_table.ts";
import type { DecodeTotals } from "./decode_totals.ts";
import type { FileFacts } from "./file_facts.ts";
import { StatisticsGathering } from "./file_statistics.ts";
import { MergeFactsGathering } from "./merge_facts.ts";
import { PageWeighing, weighGroup } from "./page_weights.ts";
import type { Pause } from "./pause.ts";
import { readingText } from "../key_values/key_value_union.ts";
import { footerOutlineSteps, type RowGroupReader } from "../format/file_metadata.ts";
import {
  type Footer,
  footerOf,
  footerOfBytes,
  readFooter,
  readFooterBytes,
} from "../format/footer.ts";
import { limitsWith, type ParquetLimits } from "../format/limits.ts";
import type { FileMetaData, RowGroup } from "../format/metadata.ts";
import { parquetError } from "../format/parquet_error.ts";
import type { RangeReader } from "../format/range_reader.ts";
import { type SchemaTree, schemaTree } from "../format/schema.ts";
import { allAtOnce, chunksAtOnce, type Steps } from "../format/steps.ts";
import { schemaJson } from "../format/schema_json.ts";
import { schemaFingerprint } from "../format/schema_fingerprint.ts";

/** What a file is, for the catalog, the planner and the merge. All of it follows from the footer. */
export interface ParquetFacts extends FileFacts {
  compressedBytes: number;
  /** What decoding all pages takes; undefined where their headers were not read. */
  decode: DecodeTotals | undefined;
  createdBy: string | undefined;
  /** Bytes of the footer. */
  footerLength: number;
  /** Where the footer says that the column chunks are. */
  chunks: ChunkTable;
  /** The footer's schema as a tree. */
  tree: SchemaTree;
}

/** The same with the footer itself, whose row groups may take much memory. */
export interface FooterFacts extends ParquetFacts {
  footer: Footer;
}

/**
 * Answers "what is this Parquet?" for a file in memory: the footer, the schema, the row groups and every page
 * header are checked before anything is allocated by what they declare; nothing is decompressed. Throws
 * `not_parquet`, `invalid_parquet`, `unsupported_parquet` or `page_too_large`, naming row group, column, page.
 */
export function inspectParquetBytes(
  bytes: Uint8Array,
  limits?: Partial<ParquetLimits>,
): FooterFacts {
  const all = limitsWith(limits);
  if (bytes.length === 0) throw parquetError("not_parquet", "there are no bytes");
  return wholeFacts(footerOfBytes(bytes, all), all, bytes);
}

/** The same with others going on meanwhile, where a file takes long. The bytes must stay as they are. */
export async function inspectInTurns(
  bytes: Uint8Array,
  pause: Pause,
  limits?: Partial<ParquetLimits>,
): Promise<ParquetFacts> {
  return await inTurns(inspectStepwise(bytes, limits), pause);
}

async function inTurns<T>(steps: Steps<T>, pause: Pause): Promise<T> {
  for (let step = steps.next();; step = steps.next()) {
    if (step.done) return step.value;
    const waiting = pause();
    if (waiting !== undefined) await waiting;
  }
}

function* inspectStepwise(
  bytes: Uint8Array,
  limits?: Partial<ParquetLimits>,
): Steps<ParquetFacts> {
  const all = limitsWith(limits);
  if (bytes.length === 0) throw parquetError("not_parquet", "there are no bytes");
  const { footer, start } = footerOf(bytes, all);
  const outline = yield* footerOutlineSteps(footer, all);
  yield;
  return yield* factsSteps({ ...outline, start, length: footer.length }, all, bytes);
}

/**
 * The same by range reads, one or two: what the footer says is checked, pages are not read (a merge checks
 * them as it goes).
 */
export async function inspectParquet(
  source: RangeReader,
  limits?: Partial<ParquetLimits>,
  signal?: AbortSignal,
): Promise<FooterFacts> {
  const all = limitsWith(limits);
  if (source.size === 0) throw parquetError("not_parquet", "there are no bytes");
  return wholeFacts(await readFooter(source, all, signal), all);
}

/**
 * The same with others going on meanwhile, where a footer is large.
 *
 * @param expectFooter told the footer's length before it is read; gives what parsing it takes, ms, or throws
 */
export async function inspectRangesInTurns(
  source: RangeReader,
  pause: Pause,
  expectFooter: (bytes: number) => number,
  signal?: AbortSignal,
): Promise<ParquetFacts> {
  const limits = limitsWith();
  if (source.size === 0) throw parquetError("not_parquet", "there are no bytes");
  const { bytes, start } = await readFooterBytes(source, limits, {
    signal,
    onLength: (length) => pause(expectFooter(length)),
  });
  return await inTurns(factsOfFooter(bytes, start, limits), pause);
}

function* factsOfFooter(
  bytes: Uint8Array,
  start: number,
  limits: Readonly<ParquetLimits>,
): Steps<ParquetFacts> {
  const outline = yield* footerOutlineSteps(bytes, limits);
  yield;
  return yield* factsSteps({ ...outline, start, length: bytes.length }, limits);
}

function wholeFacts(
  footer: Footer,
  limits: Readonly<ParquetLimits>,
  bytes?: Uint8Array,
): FooterFacts {
  const { rowGroups } = footer.metadata;
  const left = rowGroups.values();
  const groups = { count: rowGroups.length, next: () => oneStep(left.next().value!) };
  return { ...allAtOnce(factsSteps({ ...footer, groups }, limits, bytes)), footer };
}

// deno-lint-ignore require-yield -- as those that are read have it
function* oneStep(group: RowGroup): Steps<RowGroup> {
  return group;
}

/** A footer whose row groups come one after another. */
interface GroupedFooter extends Omit<Footer, "metadata"> {
  metadata: FileMetaData;
  groups: Pick<RowGroupReader, "count" | "next">;
}

/** @param bytes of the file, for its pages to be walked; absent: their weights are guessed from the footer */
function* factsSteps(
  { metadata, groups, start, length }: GroupedFooter,
  limits: Readonly<ParquetLimits>,
  bytes?: Uint8Array,
): Steps<ParquetFacts> {
  const tree = schemaTree(metadata.schema, limits);
  yield;
  const check = new FooterCheck(metadata, tree, start, limits);
  const statistics = new StatisticsGathering(metadata, tree);
  const merging = new MergeFactsGathering(tree);
  const guessing = new PageWeighing();
  for (let n = 0, looked = 0; n < groups.count; n++) {
    const group = yield* groups.next();
    yield* check.add(group);
    statistics.add(group);
    merging.add(group);
    if (bytes === undefined) weighGroup(group, guessing);
    looked += group.columns.length;
    if (looked < chunksAtOnce) continue;
    looked = 0;
    yield;
  }
  const totals = check.end();
  yield;
  const { chunks } = check;
  const pages = bytes === undefined ? undefined : yield* walkPages(bytes, chunks, tree, limits);
  yield;
  const { keyValues, createdBy } = metadata;
  const reading = readingText({ keyValues, tree, rowCount: totals.rowCount });
  const fingerprint = schemaFingerprint(tree, reading);
  const schema = schemaJson(tree, reading);
  yield;
  return {
    ...totals,
    schemaFingerprint: fingerprint,
    schema,
    stats: statistics.statistics(),
    mergeFacts: merging.facts(pages?.weights ?? guessing.weights),
    decode: pages?.totals,
    createdBy: createdBy?.slice(0, 200),
    footerLength: length,
    chunks,
    tree,
  };
}
