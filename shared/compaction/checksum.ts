/** The short checksum of a data file's own bytes, by which a merge and the store check see that they are unchanged. */
import { createHash, type Hash } from "node:crypto";

/**
 * Hex digits that are kept of the SHA-256: 8 bytes, since this is to notice decay, not an adversary, and is kept in
 * ten million rows.
 */
const digits = 16;

/** The checksum of bytes that are at hand. */
export function checksumOf(bytes: Uint8Array): string {
  return new Checksum().add(bytes).end();
}

/** The checksum of a body whose whole SHA-256 is known: the same digits, for nothing. */
export function checksumOfHash(sha256Hex: string): string {
  return sha256Hex.slice(0, digits);
}

/** A checksum of bytes that come one after the other. */
export class Checksum {
  readonly #hash: Hash = createHash("sha256");

  add(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    return this;
  }

  /** Once, at the end. */
  end(): string {
    return this.#hash.digest("hex").slice(0, digits);
  }
}
