/** `sediment-client/reader`: a dataset's tables as Arrow. Wants the package apache-arrow beside it. */
export { type Dataset, openDataset } from "../../shared/reader/open_dataset.ts";
export { keySession } from "../../shared/reader/service/key_session.ts";
export type { DatasetOptions } from "../../shared/reader/reader_options.ts";
export type { ScanOptions } from "../../shared/reader/scan/scan_options.ts";
export type { TableSummary } from "../../shared/reader/service/tables.ts";
export type { Where } from "../../shared/reader/where/where.ts";
