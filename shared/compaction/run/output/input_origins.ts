/** From which uploads, by their seq, the rows of an input are. */
import { SedimentError } from "../../../errors.ts";
import type { RangeReader } from "../../../parquet/format/range_reader.ts";
import { RowOrigins } from "../../../parquet/write/row_origins.ts";
import type { InputFile } from "../ports.ts";

/**
 * Those of an upload are all of it; an output says it in bytes of its own.
 *
 * @returns undefined where an output says nothing, as those of before
 * @throws SedimentError `object_changed` with the input's id as `extra.file`, when its bytes say what can't be; what the
 *   reader throws
 */
export async function inputOrigins(
  file: InputFile,
  reader: RangeReader,
  signal: AbortSignal,
): Promise<RowOrigins | undefined> {
  const { level, seq_min, seq_max, row_count, provenance } = file;
  if (level === 0) return RowOrigins.of(seq_min, row_count);
  if (!provenance) return undefined;
  const changed = (told: string, cause?: unknown) =>
    new SedimentError("object_changed", `${file.object_key}: ${told}`, {
      extra: { file: String(file.id), part: "store_read" },
      cause,
    });
  if (provenance.start + provenance.length > reader.size) {
    throw changed(
      `${reader.size} bytes, of which ${provenance.start} on should say where rows came from`,
    );
  }
  const bytes = await reader.read(provenance.start, provenance.length, signal);
  let origins: RowOrigins;
  try {
    origins = RowOrigins.decode(bytes);
  } catch (error) {
    throw changed((error as Error).message, error);
  }
  const { first, last } = origins.extent ?? { first: seq_min, last: seq_max };
  if (origins.rowCount !== row_count || first < seq_min || last > seq_max) {
    throw changed(
      `says where ${origins.rowCount} rows came from, uploads ${first} to ${last}; it has ${row_count}, of ${seq_min} to ${seq_max}`,
    );
  }
  return origins;
}
