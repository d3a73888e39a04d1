/** The words that name data: tables, period tags, ids, hashes. Predicates without a library, for every side. */

/** A table's name or a period tag; both become folders of an object key, hence the narrow alphabet. */
export const namePattern = /^[A-Za-z0-9_-]{1,64}$/;

/** What is said of a name that is none. */
export const nameText = "1 to 64 of A-Z a-z 0-9 _ -";

/** The period tag of data that has none. */
export const noPeriod = "0";

/** A UUID of any version, in either case. */
export const uuidPattern = /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;

/** SHA-256 in hexadecimal, in either case; it is kept in lower case. */
export const hashPattern = /^[0-9a-fA-F]{64}$/;

/**
 * The UUID that 64 hexadecimal digits name as a dataset: their first 128 bits with version 8 and the variant written
 * over six of them (RFC 9562 section 5.8). The documents' clients name a dataset by a SHA-256; 122 bits of it keep two apart.
 */
export function uuidOfDigest(digits: string): string {
  const hex = digits.toLowerCase();
  const variant = (8 + parseInt(hex[16]!, 16) % 4).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}

/**
 * Whether a dataset's id was made of a SHA-256: of the versions in use only 8 is (RFC 9562 section 5.8). So the
 * documents' clients are known, which can't say more.
 */
export function isOfDigest(datasetId: string): boolean {
  return datasetId[14] === "8";
}

/** The formats of files that are taken. */
export const formats = ["parquet", "avro"] as const;
/** See {@link formats}. */
export type Format = (typeof formats)[number];
