/** The ports of the upload use-cases, for the functions that take files. */
import { inspectParquetBytes } from "../shared/parquet/inspect.ts";
import type { UploadPorts } from "../shared/uploads/ports.ts";
import type { Services } from "./services.ts";

/** The services as the upload use-cases want them. */
export function uploadPorts({ catalog, store }: Services): UploadPorts {
  return { catalog, store, inspect: (bytes) => inspectParquetBytes(bytes) };
}
