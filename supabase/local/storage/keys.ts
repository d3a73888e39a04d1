/**
 * Names of buckets and objects: which are valid, and where an object lies below the root folder.
 *
 * Valid names as the real API's `src/storage/limits.ts` (S3-safe ASCII; object keys also with `/`), less the
 * segments `.` and `..`, and less segments that no file system takes. Since a valid name never contains `~`
 * or `^`, these carry what a file system can't tell apart: an object's file ends in `~` (so the objects `a`
 * and `a/b` can both be), an upper-case letter is `^` and its lower case (macOS folds case), an empty segment
 * is the folder `~d`.
 */
import { join } from "node:path";

import { StorageApiError } from "./errors.ts";

const validKey = /^[\w/!\-.*'() &$@=;:+,?]+$/;
const validBucket = /^[\w!\-.*'() &$@=;:+,?]{1,100}$/;
const maxKeyLength = 1024;
const maxFileName = 240;

/** Whether a bucket may have this name. */
export function isValidBucketName(name: string): boolean {
  return validBucket.test(name) && name !== "." && name !== "..";
}

/** Whether an object may have this key. */
export function isValidKey(key: string): boolean {
  return key.length <= maxKeyLength && validKey.test(key) &&
    key.split("/").every((segment) => segment !== "." && segment !== ".." && fits(segment));
}

/** Throws `InvalidKey` with the key, as the real API does. */
export function assertValidKey(key: string): void {
  if (!isValidKey(key)) throw new StorageApiError("InvalidKey", `Invalid key: ${key}`);
}

/** Throws `InvalidBucketName`. */
export function assertValidBucketName(name: string): void {
  if (!isValidBucketName(name)) throw new StorageApiError("InvalidBucketName");
}

/** The folder that holds a bucket's objects. */
export function bucketPath(root: string, bucket: string): string {
  assertValidBucketName(bucket);
  return join(root, "objects", encodeSegment(bucket));
}

/** The file that holds an object; the key must be valid. */
export function objectPath(root: string, bucket: string, key: string): string {
  assertValidKey(key);
  const segments = key.split("/");
  const name = segments.pop()!;
  return join(bucketPath(root, bucket), ...segments.map(folderName), encodeSegment(name) + "~");
}

/** The folder below a bucket for a prefix that ends in `/` or is empty; null when no key can have it. */
export function prefixPath(root: string, bucket: string, prefix: string): string | null {
  if (prefix === "") return bucketPath(root, bucket);
  if (!prefix.endsWith("/") || !isValidKey(prefix)) return null;
  return join(bucketPath(root, bucket), ...prefix.split("/").slice(0, -1).map(folderName));
}

/** What a directory entry stands for: an object's last segment, or a folder's segment. */
export function decodeEntry(entry: string): { name: string; folder: boolean } | null {
  if (entry === "~d") return { name: "", folder: true };
  const folder = !entry.endsWith("~");
  const name = (folder ? entry : entry.slice(0, -1)).replace(
    /\^(.)/g,
    (_, letter: string) => letter.toUpperCase(),
  );
  return name === "" || validKey.test(name) ? { name, folder } : null;
}

function folderName(segment: string): string {
  return segment === "" ? "~d" : encodeSegment(segment);
}

function encodeSegment(segment: string): string {
  return segment.replace(/[A-Z]/g, (letter) => "^" + letter.toLowerCase());
}

function fits(segment: string): boolean {
  return encodeSegment(segment).length <= maxFileName;
}
