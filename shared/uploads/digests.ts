/** The hashes that identify an upload. */
import { createHash } from "node:crypto";
import type { UploadRequest } from "./upload_request.ts";

/** SHA-256 as lower-case hexadecimal; node:crypto, because it is synchronous and quick for small bodies. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/**
 * A digest of how a body is cut, for the ledger: the same body with other offsets is another upload and is
 * refused. Declared row counts are checked against the bytes, so they are no part of the identity. A body
 * without offsets is cut the same whatever size was declared.
 */
export function offsetsDigest(request: UploadRequest): string {
  const cut = offsetsOf(request) ?? request.slices[0]!.format;
  return createHash("sha256").update(JSON.stringify(cut)).digest("hex");
}

/** What the digest of a concatenated body is of; null of one file. */
export function offsetsOf({ slices, concatenated }: UploadRequest) {
  if (!concatenated) return null;
  return slices.map(({ table, start, length, format }) => [table, start, length, format] as const);
}
