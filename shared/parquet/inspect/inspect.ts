import { checkFooter, checkFooterSteps, type FooterTotals } from "./check_chunks.ts";
import { type WalkedPages, walkPages } from "./check_pages.ts";
import type { DecodeTotals } from "./decode_totals.ts";
import type { FileFacts } from "./file_facts.ts";
import { fileStatisticsSteps } from "./file_statistics.ts";
import { mergeFactsSteps } from "./merge_facts.ts";
import { heaviestPages } from "./page_weights.ts";
import type { Pause } from "./pause.ts";
import { readingText } from "../key_values/key_value_union.ts";
import { type Footer, footerSteps, readFooter } from "../format/footer.ts";
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
  const inspection = inspectStepwise(bytes, limits);
  for (let step = inspection.next();; step = inspection.next()) {
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
  const footer = await readFooter(source, all, signal);
  const tree = schemaTree(footer.metadata.schema, all);
  const totals = checkFooter(footer.metadata, tree, footer.start, all);
  return allAtOnce(factsSteps(footer, tree, totals, { weights: heaviestPages(footer.metadata) }));
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
