/** What the upload use-cases need from outside; adapters and fakes are given by whoever composes them. */
import type { Catalog } from "../catalog/catalog.ts";
import type { ParquetFacts } from "../parquet/inspect/inspect.ts";
import type { ObjectStore } from "../storage/object_store.ts";

export type { UploadAnswer } from "../catalog/upload_results.ts";

/** Ports of the upload use-cases. */
export interface UploadPorts {
  catalog: Pick<Catalog, "stageUpload" | "commitUpload" | "abandonUpload">;
  store: ObjectStore;
  /** What a Parquet file in memory is; throws what is wrong with it. */
  inspect(bytes: Uint8Array): ParquetFacts;
  /** Decodes every page once; throws what is wrong with one. Absent: pages are found out at the merge. */
  checkValues?(bytes: Uint8Array, facts: ParquetFacts): Promise<unknown>;
  /** Parquet of an Avro Object Container File; absent where Avro is not taken. */
  convertAvro?(bytes: Uint8Array): Promise<Uint8Array>;
}
