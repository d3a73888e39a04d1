/** What is known of a data file, wherever it is spoken of: at its upload, as an input and as an output of a merge. */
import type { SchemaJson } from "../format/schema_json.ts";
import type { FileStatistics } from "./file_statistics.ts";
import type { MergeFacts } from "./merge_facts.ts";

/** All of it follows from the footer; the catalog keeps it, so that a plan needs to read no file. */
export interface FileFacts {
  /** Rows of all row groups. */
  rowCount: number;
  /** Row groups that have rows. */
  rowGroupCount: number;
  /** Of all column chunks, page headers counted. */
  uncompressedBytes: number;
  /** Values of all column chunks, nulls and the entries of lists counted. */
  valueCount: number;
  /** What decides how a merge takes the file, where there is something to tell. */
  mergeFacts: MergeFacts | null;
  /** SHA-256 in hex of names, types, nullability and nesting; see `schemaFingerprint`. */
  schemaFingerprint: string;
  schema: SchemaJson;
  /** Bounds of top-level columns as the writer gave them; hints, not facts. */
  stats: FileStatistics;
}
