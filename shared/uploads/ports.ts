/** What the upload use-cases need from outside; adapters and fakes are given by whoever composes them. */
import type { ObjectStore } from "../storage/object_store.ts";

/** Temporary. */
// deno-lint-ignore no-explicit-any
export type ParquetFacts = any;
// deno-lint-ignore no-explicit-any
export type UploadAnswer = any;
export interface StageInput {
  user: string;
  dataset: string;
  table: string;
  periodTag: string;
  size: number;
  contentHash: string;
  offsetsDigest: string;
  kind?: string;
  ttlSeconds?: number;
  maxPutSeconds?: number;
}
export interface StageAnswer {
  stage_id: string;
  object_key: string;
  expires_at: string;
  duplicate: boolean;
  answer: UploadAnswer | null;
}
export interface UploadCatalog {
  stageUpload(input: StageInput): Promise<StageAnswer>;
  // deno-lint-ignore no-explicit-any
  commitUpload(input: any): Promise<UploadAnswer>;
  abandonUpload(input: { stage: string; user: string }): Promise<unknown>;
}

/** Ports of the upload use-cases. */
export interface UploadPorts {
  catalog: UploadCatalog;
  store: ObjectStore;
  /** What a Parquet file in memory is; throws what is wrong with it. */
  inspect(bytes: Uint8Array): ParquetFacts | Promise<ParquetFacts>;
  /** Parquet of an Avro Object Container File; absent where Avro is not taken. */
  convertAvro?(bytes: Uint8Array): Promise<Uint8Array>;
}
