/** Opens every slice of a body before anything is stored: what is not whole and readable is refused. */
import { type ErrorCode, SedimentError } from "../errors.ts";
import type { UploadedFile } from "../catalog/upload_results.ts";
import type { ParquetFacts } from "../parquet/inspect.ts";
import type { UploadPorts } from "./ports.ts";
import type { UploadRequest } from "./upload_request.ts";

/** A checked body. */
export interface CheckedBody {
  /** The object's bytes: the body itself, or its slices with Avro turned into Parquet. */
  bytes: Uint8Array;
  files: UploadedFile[];
}

/**
 * Checks each slice: its format, its footer, its row count against `num_rows`.
 *
 * @param body the whole body; slices lie inside it
 * @throws SedimentError `not_parquet`, `invalid_parquet`, `unsupported_parquet`, `page_too_large`, the Avro
 *   codes, `row_count_mismatch`; for a slice of a concatenated body with the slice's place as `field`
 */
export async function checkSlices(
  ports: Pick<UploadPorts, "inspect" | "convertAvro">,
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
    } catch (thrown) {
      throw atField(thrown, field);
    }
    if (slice.rows !== undefined && slice.rows !== facts.rowCount) {
      throw new SedimentError("row_count_mismatch", `The slice has ${facts.rowCount} rows`, {
        field: `${field}.num_rows`,
        expected: `${slice.rows} rows, as num_rows says`,
      });
    }
    if (anyAvro) {
      // Conversion changes lengths: the object is laid out anew.
      start = written;
      written += bytes.byteLength;
      converted.push(bytes);
    }
    files.push({
      ordinal,
      table: slice.table,
      period_tag: request.periodTag,
      start_byte: start,
      byte_length: bytes.byteLength,
      row_count: facts.rowCount,
      row_group_count: facts.rowGroupCount,
      uncompressed_bytes: facts.uncompressedBytes,
      schema_fingerprint: facts.schemaFingerprint,
      schema: facts.schema,
      stats: facts.stats,
    });
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

/** The codes that tell of a file rather than of us. */
const fileCodes = new Set<ErrorCode>([
  "not_parquet",
  "invalid_parquet",
  "unsupported_parquet",
  "page_too_large",
  "schema_incompatible",
  "not_avro",
  "invalid_avro",
  "unsupported_avro",
]);

function atField(thrown: unknown, field: string): unknown {
  if (!(thrown instanceof SedimentError) || !fileCodes.has(thrown.code)) return thrown;
  return new SedimentError(thrown.code, thrown.message, {
    field,
    expected: thrown.expected,
    extra: thrown.extra,
    cause: thrown.cause ?? thrown,
  });
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
