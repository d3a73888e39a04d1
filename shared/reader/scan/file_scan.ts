import type * as arrow from "apache-arrow";
import type { SchemaTree } from "../../parquet/format/schema.ts";
import type { KernelHost } from "../../parquet/kernels/kernels.ts";
import type { Filter } from "../where/filter.ts";
import type { ScanLimits } from "./limits.ts";
import type { ScanReport } from "./scan_report.ts";

/** What is read of each file. */
export interface FileScan {
  /** The columns that are decoded, as the table has them. */
  tree: SchemaTree;
  /** The same as Arrow has it. */
  schema: arrow.Schema;
  /** Their names; undefined: all columns of the table. */
  names: ReadonlySet<string> | undefined;
  /** Row groups of which no row can meet it are passed over; rows are not looked at. */
  filter?: Filter;
  limits: ScanLimits;
  host: KernelHost;
  report: ScanReport;
  /** Aborted when the scan is over, and to end it. */
  stop: AbortController;
}
