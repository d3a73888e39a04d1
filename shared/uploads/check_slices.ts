/** Opens every slice of a body before anything is stored: what is not whole and readable is refused. */
import { SedimentError } from "../errors.ts";
import type { UploadedFile } from "../catalog/upload_results.ts";
import type { ParquetFacts } from "../parquet/inspect/inspect.ts";
import { atSlice, checkNames, checkRows, dataFile } from "./data_file.ts";
import type { UploadPorts } from "./ports.ts";
import type { UploadRequest } from "./upload_request.ts";

/** A checked body. */
export interface CheckedBody {
  /** The object's bytes: the body itself, or its slices with Avro turned into Parquet. */
  bytes: Uint8Array;
  files: UploadedFile[];
}

/**
 * Checks each slice: its format, its footer, its pages, its row count against `num_rows`.
 *
 * @param body the whole body; slices lie inside it
 * @throws SedimentError `not_parquet`, `invalid_parquet`, `unsupported_parquet`, `page_too_large`, the Avro
 *   codes, `row_count_mismatch`; for a slice of a concatenated body with the slice's place as `field`
 */
export async function checkSlices(
  ports: Pick<UploadPorts, "inspect" | "checkValues" | "convertAvro">,
  request: UploadRequest,
  body: Uint8Array,
): Promise<CheckedBody> {
  const converted: Uint8Array[] = [];
  const files: UploadedFile[] = [];
  const anyAvro = request.slices.some((slice) => slice.format === "avro");
  let written = 0;
  for (const [ordinal, slice] of request.slices.entries()) {
    const field = request.concatenated ? `table_offsets[${ordinal}]` : "file";
    let bytes = body.subarray(slice.start, slice.start + slice.length);
    let start = slice.start;
    let facts: ParquetFacts;
    try {
      if (slice.format === "avro") bytes = await toParquet(ports, bytes);
      facts = ports.inspect(bytes);
      checkNames(facts);
      await ports.checkValues?.(bytes, facts);
    } catch (thrown) {
      throw atSlice(thrown, field);
    }
    checkRows(slice, facts, field);
    if (anyAvro) {
      // Conversion changes lengths: the object is laid out anew.
      start = written;
      written += bytes.byteLength;
      converted.push(bytes);
    }
    files.push(dataFile(request, ordinal, start, bytes.byteLength, facts));
  }
  return { bytes: anyAvro ? concatenate(converted, written) : body, files };
}

async function toParquet(ports: Pick<UploadPorts, "convertAvro">, bytes: Uint8Array) {
  if (ports.convertAvro === undefined) {
    throw new SedimentError("unsupported_avro", "Avro is not taken here", {
      expected: "Parquet",
    });
  }
  return await ports.convertAvro(bytes);
}

function concatenate(parts: Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}
