import { footerBytes, footerOfBytes } from "../../shared/parquet/format/footer.ts";
import type { FileMetaData } from "../../shared/parquet/format/metadata.ts";

/** The file with its footer changed in place by `change`. */
export function withFooter(
  file: Uint8Array,
  change: (metadata: FileMetaData) => void,
): Uint8Array<ArrayBuffer> {
  const { metadata, start } = footerOfBytes(file);
  change(metadata);
  const footer = footerBytes(metadata);
  const result = new Uint8Array(start + footer.length);
  result.set(file.subarray(0, start));
  result.set(footer, start);
  return result;
}
