import { checkFooterSteps, type FooterTotals } from "./check_chunks.ts";
import { type WalkedPages, walkPages } from "./check_pages.ts";
import type { DecodeTotals } from "./decode_totals.ts";
import type { FileFacts } from "./file_facts.ts";
import { fileStatisticsSteps } from "./file_statistics.ts";
import { mergeFactsSteps } from "./merge_facts.ts";
import { heaviestPages } from "./page_weights.ts";
import type { Pause } from "./pause.ts";
import { readingText } from "../key_values/key_value_union.ts";
import { fileMetadataSteps } from "../format/file_metadata.ts";
import { type Footer, footerSteps, readFooterBytes } from "../format/footer.ts";
import { limitsWith, type ParquetLimits } from "../format/limits.ts";
import { parquetError } from "../format/parquet_error.ts";
import type { RangeReader } from "../format/range_reader.ts";
import { type SchemaTree, schemaTree } from "../format/schema.ts";
import { allAtOnce, type Steps } from "../format/steps.ts";
import { schemaJson } from "../format/schema_json.ts";
import { schemaFingerprint } from "../format/schema_fingerprint.ts";

/** What a file is, for the catalog, the planner and the merge. All of it follows from the footer. */
export interface ParquetFacts extends FileFacts {
  compressedBytes: number;
  /** What decoding all pages takes; undefined where their headers were not read. */
  decode: DecodeTotals | undefined;
  createdBy: string | undefined;
  footer: Footer;
  /** The footer's schema as a tree. */
  tree: SchemaTree;
}

/**
 * Answers "what is this Parquet?" for a file in memory: the footer, the schema, the row groups and every page
 * header are checked before anything is allocated by what they declare; nothing is decompressed. Throws
 * `not_parquet`, `invalid_parquet`, `unsupported_parquet` or `page_too_large`, naming row group, column, page.
 */
export function inspectParquetBytes(
  bytes: Uint8Array,
  limits?: Partial<ParquetLimits>,
): ParquetFacts {
  return allAtOnce(inspectStepwise(bytes, limits));
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
  const footer = yield* footerSteps(bytes, all);
  yield;
  const tree = schemaTree(footer.metadata.schema, all);
  yield;
  const totals = yield* checkFooterSteps(footer.metadata, tree, footer.start, all);
  yield;
  const walked = yield* walkPages(bytes, footer.metadata, tree, all);
  yield;
  return yield* factsSteps(footer, tree, totals, walked);
}

/**
 * The same by range reads, one or two: what the footer says is checked, pages are not read (a merge checks
 * them as it goes).
 */
export async function inspectParquet(
  source: RangeReader,
  limits?: Partial<ParquetLimits>,
  signal?: AbortSignal,
): Promise<ParquetFacts> {
  const all = limitsWith(limits);
  if (source.size === 0) throw parquetError("not_parquet", "there are no bytes");
  const { bytes, start } = await readFooterBytes(source, all, { signal });
  return allAtOnce(factsOfFooter(bytes, start, all));
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
  const metadata = yield* fileMetadataSteps(bytes, limits);
  yield;
  const tree = schemaTree(metadata.schema, limits);
  yield;
  const totals = yield* checkFooterSteps(metadata, tree, start, limits);
  yield;
  const footer = { metadata, start, length: bytes.length };
  return yield* factsSteps(footer, tree, totals, { weights: heaviestPages(metadata) });
}

function* factsSteps(
  footer: Footer,
  tree: SchemaTree,
  totals: FooterTotals,
  pages: Partial<WalkedPages> & Pick<WalkedPages, "weights">,
): Steps<ParquetFacts> {
  const { keyValues } = footer.metadata;
  const reading = readingText({ keyValues, tree, rowCount: totals.rowCount });
  const fingerprint = schemaFingerprint(tree, reading);
  const schema = schemaJson(tree, reading);
  yield;
  return {
    rowCount: totals.rowCount,
    valueCount: totals.valueCount,
    rowGroupCount: totals.rowGroupCount,
    uncompressedBytes: totals.uncompressedBytes,
    compressedBytes: totals.compressedBytes,
    schemaFingerprint: fingerprint,
    schema,
    stats: yield* fileStatisticsSteps(footer.metadata, tree),
    mergeFacts: yield* mergeFactsSteps(footer.metadata, tree, pages.weights),
    decode: pages.totals,
    createdBy: footer.metadata.createdBy?.slice(0, 200),
    footer,
    tree,
  };
}
