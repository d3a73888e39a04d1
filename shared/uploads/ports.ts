/** What the upload use-cases need from outside; adapters and fakes are given by whoever composes them. */
import type { Catalog } from "../catalog/catalog.ts";
import type { ParquetFacts } from "../parquet/inspect/inspect.ts";
import type { Pause } from "../parquet/inspect/pause.ts";
import type { CheckBudget } from "./check_price.ts";
import type { CheckTurns } from "./check_turns.ts";
import type { WorkShares } from "../work_shares.ts";
import type { ObjectStore } from "../storage/object_store.ts";

export type { UploadAnswer } from "../catalog/upload_results.ts";

/** Ports of the upload use-cases. */
export interface UploadPorts {
  catalog: Pick<Catalog, "stageUpload" | "commitUpload" | "abandonUpload">;
  store: ObjectStore;
  /** What a Parquet file in memory is; throws what is wrong with it. */
  inspect(bytes: Uint8Array, pause: Pause): ParquetFacts | Promise<ParquetFacts>;
  /** Decodes every page once; throws what is wrong with one. Absent: pages are found out at the merge. */
  checkValues?(bytes: Uint8Array, facts: ParquetFacts, pause: Pause): Promise<unknown>;
  /** How long checks share the isolate. @default none waits */
  turns?: CheckTurns;
  /** What the checks of a request may cost. @default checkBudget */
  budget?: CheckBudget;
  /** What uploads of one user may cost those of others. @default no account is kept */
  shares?: Pick<WorkShares, "begin" | "hasOthers">;
  /** Parquet of an Avro Object Container File; absent where Avro is not taken. */
  convertAvro?(bytes: Uint8Array): Promise<Uint8Array>;
}
