/**
 * SHA-256 of bytes that arrive in pieces. WebCrypto can't digest a stream, and browsers have no node:crypto; where that
 * exists (`node_file_system.ts`) it is used instead.
 */
import { sha256 as noble } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

/** A digest that is fed piece by piece. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** Lower-case hex of all that was fed; the hasher takes nothing after that. */
  hex(): string;
}

/** A {@link Hasher} in plain JavaScript, for browsers and short texts. */
export function createSha256(): Hasher {
  const hash = noble.create();
  return {
    update: (bytes) => void hash.update(bytes),
    hex: () => bytesToHex(hash.digest()),
  };
}

/** The SHA-256 of one text (as UTF-8) or piece of bytes, as lower-case hex. */
export function sha256(input: string | Uint8Array): string {
  return bytesToHex(noble(typeof input === "string" ? new TextEncoder().encode(input) : input));
}
