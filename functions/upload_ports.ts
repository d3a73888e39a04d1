/** The ports of the upload use-cases, for the functions that take files. */
import { avroToParquet } from "../shared/avro/avro_to_parquet.ts";
import { checkValues } from "../shared/parquet/check_values.ts";
import { inspectParquet, inspectParquetBytes } from "../shared/parquet/inspect.ts";
import type { CompletePorts } from "../shared/uploads/complete_upload.ts";
import type { UploadPorts } from "../shared/uploads/ports.ts";
import type { Services } from "./services.ts";

/** The services as the upload use-cases want them. */
export function uploadPorts({ catalog, store }: Services): UploadPorts & CompletePorts {
  return {
    catalog,
    store,
    inspect: (bytes) => inspectParquetBytes(bytes),
    checkValues: (bytes, facts) => checkValues(bytes, facts),
    inspectRanges: (reader, signal) => inspectParquet(reader, undefined, signal),
    convertAvro: async (bytes) => (await avroToParquet(bytes)).parquet,
  };
}
