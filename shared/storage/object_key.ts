import { SedimentError } from "../errors.ts";

/** What every store takes: Supabase's set of characters, and no segment that a URL or a folder folds away. */
const segment = /^(?!\.{1,2}$)[\w!\-.*'() &$@=;:+,?]+$/;

/** Throws `invalid_name` for a key that one of the stores would refuse or change. */
export function assertObjectKey(key: string): void {
  if (key.length <= 1024 && key.split("/").every((part) => segment.test(part))) return;
  throw new SedimentError("invalid_name", `${JSON.stringify(key)} is not a key of an object`, {
    field: "key",
    expected: "segments of letters, digits and _!-.*'() &$@=;:+,? parted by /, 1024 at most",
  });
}

/** The key as a path in a URL. RFC 3986: the marks that encodeURIComponent leaves are encoded too, for S3. */
export function encodeObjectKey(key: string): string {
  return key.split("/").map((part) =>
    encodeURIComponent(part).replace(
      /[!'()*]/g,
      (mark) => "%" + mark.charCodeAt(0).toString(16).toUpperCase(),
    )
  ).join("/");
}

/**
 * The key as the path of a signed URL. Storage compares what decodeURI makes of the path with what it signed, so the
 * marks that decodeURI leaves encoded must come as they are; a question mark can't.
 */
export function encodeSignedKey(key: string): string {
  return encodeURI(key).replaceAll("?", "%3F");
}
