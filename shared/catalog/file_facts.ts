/** What is known of a data file, in the catalog's words. */
import * as z from "zod";
import type { FileFacts } from "../parquet/inspect/file_facts.ts";
import { packStats } from "./packed_stats.ts";
import { count } from "./values.ts";

/** The facts as `commit_upload` and `commit_compaction` take them. */
export interface CatalogFacts {
  row_count: number;
  row_group_count: number;
  uncompressed_bytes: number;
  /** What the planner goes by, where it was kept: see `PlanFile`. */
  value_count?: number;
  merge_facts?: unknown;
  schema_fingerprint: string;
  schema: unknown;
  stats: unknown;
}

/** The facts that every list of data files has. */
export const listedFacts = {
  row_count: count,
  row_group_count: count,
  uncompressed_bytes: count,
  schema_fingerprint: z.string(),
};

/** The facts of a file that was looked at, or written. */
export function catalogFacts(facts: FileFacts): CatalogFacts {
  return {
    row_count: facts.rowCount,
    row_group_count: facts.rowGroupCount,
    uncompressed_bytes: facts.uncompressedBytes,
    value_count: facts.valueCount,
    merge_facts: facts.mergeFacts,
    schema_fingerprint: facts.schemaFingerprint,
    schema: facts.schema,
    stats: packStats(facts.stats, facts.schema),
  };
}
