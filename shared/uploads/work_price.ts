/** What an upload takes of the service beside its checks, ms: for the account of its user (shared/work_shares.ts). */
import type { CheckedBody } from "./check_slices.ts";

/** Reading a byte, hashing it and sending it on: 8 MB took some 40 ms. */
const bodyByteMs = 1 / 200_000;

/** A data file in the catalog, with its partition and message: a hundred new ones took 70 ms of PostgreSQL. */
const fileMs = 0.7;

/** A character of a schema, which is written, sent, hashed and kept: 29,000 took some 12 ms. */
const schemaCharMs = 1 / 2_500;

/** Of a body of so many bytes, once it is there. */
export function bodyWorkMs(bytes: number): number {
  return bytes * bodyByteMs;
}

/** Of storing what was checked. */
export function commitWorkMs({ files, schemaChars }: Omit<CheckedBody, "bytes">): number {
  return files.length * fileMs + schemaChars * schemaCharMs;
}
