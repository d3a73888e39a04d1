import { checkFooter, type FooterTotals } from "./check_chunks.ts";
import { type WalkedPages, walkPages } from "./check_pages.ts";
import type { DecodeTotals } from "./decode_totals.ts";
import type { FileFacts } from "./file_facts.ts";
import { fileStatistics } from "./file_statistics.ts";
import { mergeFacts } from "./merge_facts.ts";
import type { Pause } from "./pause.ts";
import { readingText } from "../merge/key_values/key_value_union.ts";
import { type Footer, footerOfBytes, readFooter } from "../format/footer.ts";
import { limitsWith, type ParquetLimits } from "../format/limits.ts";
import { parquetError } from "../format/parquet_error.ts";
import type { RangeReader } from "../format/range_reader.ts";
import { type SchemaTree, schemaTree } from "../format/schema.ts";
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
  const inspection = inspectStepwise(bytes, limits);
  for (let step = inspection.next();; step = inspection.next()) if (step.done) return step.value;
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
): Generator<undefined, ParquetFacts> {
  const all = limitsWith(limits);
  if (bytes.length === 0) throw parquetError("not_parquet", "there are no bytes");
  const footer = footerOfBytes(bytes, all);
  const tree = schemaTree(footer.metadata.schema, all);
  const totals = checkFooter(footer.metadata, tree, footer.start, all);
  yield;
  return facts(footer, tree, totals, yield* walkPages(bytes, footer.metadata, tree, all));
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
  return facts(footer, tree, checkFooter(footer.metadata, tree, footer.start, all));
}

function facts(
  footer: Footer,
  tree: SchemaTree,
  totals: FooterTotals,
  walked?: WalkedPages,
): ParquetFacts {
  const { keyValues } = footer.metadata;
  const reading = readingText({ keyValues, tree, rowCount: totals.rowCount });
  return {
    rowCount: totals.rowCount,
    valueCount: totals.valueCount,
    rowGroupCount: totals.rowGroupCount,
    uncompressedBytes: totals.uncompressedBytes,
    compressedBytes: totals.compressedBytes,
    schemaFingerprint: schemaFingerprint(tree, reading),
    schema: schemaJson(tree, reading),
    stats: fileStatistics(footer.metadata, tree),
    mergeFacts: mergeFacts(footer.metadata, tree, walked?.weights),
    decode: walked?.totals,
    createdBy: footer.metadata.createdBy?.slice(0, 200),
    footer,
    tree,
  };
}
