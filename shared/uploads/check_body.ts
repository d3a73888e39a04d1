/** Whether bytes are those that were announced. */
import { SedimentError } from "../errors.ts";
import { sha256 } from "./digests.ts";

/**
 * Compares a body with what was said of it.
 *
 * @param hash the body's SHA-256, where it is known already
 * @throws SedimentError `size_mismatch`, `hash_mismatch`; `empty_file` when nothing came though something should
 */
export function checkBody(
  said: { size: number; contentHash: string },
  body: Uint8Array,
  hash?: string,
): void {
  if (body.byteLength === 0 && said.size > 0) {
    throw new SedimentError("empty_file", "The body has no bytes", {
      field: "body",
      expected: `${said.size} bytes`,
    });
  }
  if (body.byteLength !== said.size) {
    throw new SedimentError("size_mismatch", `The body has ${body.byteLength} bytes`, {
      field: "file_size",
      expected: `${said.size} bytes, as file_size says`,
    });
  }
  hash ??= sha256(body);
  if (hash !== said.contentHash) {
    throw new SedimentError("hash_mismatch", `The body's SHA-256 is ${hash}`, {
      field: "content_hash",
      expected: said.contentHash,
    });
  }
}
