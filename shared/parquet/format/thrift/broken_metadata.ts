import { SedimentError } from "../../../errors.ts";

/** The error of bytes that are no Thrift, or not what the format has there. */
export function brokenMetadata(detail: string): SedimentError {
  return new SedimentError("invalid_parquet", detail);
}
