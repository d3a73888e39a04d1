/** The ports of the upload use-cases, for the functions that take files. */
import { avroToParquet } from "../shared/avro/avro_to_parquet.ts";
import { checkValues } from "../shared/parquet/inspect/check_values.ts";
import { createServerTiming, type ServerTiming } from "../shared/http/server_timing.ts";
import { inspectInTurns, inspectRangesInTurns } from "../shared/parquet/inspect/inspect.ts";
import { wasmLoader, wasmModules } from "../shared/wasm/wasm_modules.ts";
import { createCheckTurns } from "../shared/uploads/check_turns.ts";
import type { CompletePorts } from "../shared/uploads/complete_upload.ts";
import type { UploadPorts } from "../shared/uploads/ports.ts";
import type { Services } from "./services.ts";

/** The CPU that checks share is the isolate's. */
const turns = createCheckTurns();

/** The services as the upload use-cases want them; `timing` is told how long the calls take. */
export function uploadPorts(
  { catalog, store, shares }: Services,
  timing: ServerTiming = createServerTiming(),
): UploadPorts & CompletePorts {
  const zstd = wasmLoader(store, wasmModules.zstd);
  return {
    catalog: timing.measured(catalog, { stageUpload: "stage", commitUpload: "commit" }),
    store: timing.measured(store, { put: "put" }),
    inspect: inspectInTurns,
    checkValues: (bytes, facts, pause) => checkValues(bytes, facts, { pause }),
    turns,
    shares,
    inspectRanges: inspectRangesInTurns,
    convertAvro: async (bytes) => (await avroToParquet(bytes, { zstd })).parquet,
  };
}
