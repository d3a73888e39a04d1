/**
 * Names of buckets and objects, as the real API's `src/storage/limits.ts` has them (S3-safe ASCII; object keys also
 * with `/`), less the segments `.` and `..`: an HTTP client takes them out of a URL before they get here.
 */
import { StorageApiError } from "./errors.ts";

const validKey = /^[\w/!\-.*'() &$@=;:+,?]+$/;
const validBucket = /^[\w!\-.*'() &$@=;:+,?]{1,100}$/;
const maxKeyLength = 1024;

/** Whether a bucket may have this name. */
export function isValidBucketName(name: string): boolean {
  return validBucket.test(name) && name !== "." && name !== "..";
}

/** Whether an object may have this key. */
export function isValidKey(key: string): boolean {
  return key.length <= maxKeyLength && validKey.test(key) &&
    key.split("/").every((segment) => segment !== "." && segment !== "..");
}

/** Throws `InvalidKey` with the key, as the real API does. */
export function assertValidKey(key: string): void {
  if (!isValidKey(key)) throw new StorageApiError("InvalidKey", `Invalid key: ${key}`);
}

/** Throws `InvalidBucketName`. */
export function assertValidBucketName(name: string): void {
  if (!isValidBucketName(name)) throw new StorageApiError("InvalidBucketName");
}
