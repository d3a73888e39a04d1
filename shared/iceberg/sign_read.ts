/**
 * Signatures for requests that read one object of an S3, where engines have no key to it.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
import { AwsV4Signer } from "aws4fetch";
import { SedimentError } from "../errors.ts";
import type { SignRequest } from "../protocol/sign_request.ts";
import { assertObjectKey, encodeObjectKey } from "../storage/object_key.ts";

/** Where engines find the bucket. */
export interface SignedPlace {
  endpoint: string;
  region: string;
  bucket: string;
}

/** A request that reads one object. */
export interface ObjectRead {
  method: "GET" | "HEAD";
  key: string;
  /** The object's address, as it is signed. */
  url: string;
  /** Those of the request's headers that are signed, their names in lower case. */
  headers: Record<string, string>;
}

/** S3 wants all headers signed that begin so; these may come with what reads. */
const signedPrefix = "x-amz-";
const signedHeaders = [
  "x-amz-checksum-mode",
  "x-amz-content-sha256",
  // of Java: whether the answer may end with its MD5
  "x-amz-te",
  "x-amz-user-agent",
];
/** What the signature sets, or its maker takes no notice of. */
const replacedHeaders = ["x-amz-date", "x-amz-security-token"];
const payloads =
  /^(UNSIGNED-PAYLOAD|e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855)$/;

/**
 * What a request would read, taken apart strictly: it is GET or HEAD of an object of the bucket and has no query. The address is
 * built anew from the key, so that what is judged and what is signed are one.
 *
 * @throws SedimentError `forbidden` for what reads no object of the bucket, `invalid_request` for another region or header
 */
export function objectRead(request: SignRequest, place: SignedPlace): ObjectRead {
  const { method } = request;
  if (method !== "GET" && method !== "HEAD") {
    throw new SedimentError("forbidden", `${method} is not signed: this catalog is read-only`, {
      field: "method",
      expected: "GET or HEAD",
    });
  }
  if (request.region !== place.region) {
    throw new SedimentError("invalid_request", "The store is in another region", {
      field: "region",
      expected: place.region,
    });
  }
  const { base, path } = addressOf(request.uri, place);
  const key = keyOf(path);
  const url = `${base}/${encodeObjectKey(key)}`;
  return { method, key, url, headers: headersOf(request.headers) };
}

/**
 * The headers that a signed request has beside its own; good for the quarter of an hour that S3 allows clocks to differ. Ranges
 * are not among what is signed: one signature is for all of the object.
 */
export async function signRead(
  { method, url, headers }: ObjectRead,
  place: SignedPlace,
  key: { id: string; secret: string },
): Promise<Record<string, string>> {
  const signed = await new AwsV4Signer({
    ...{ method, url, headers },
    ...{ service: "s3", region: place.region },
    ...{ accessKeyId: key.id, secretAccessKey: key.secret },
  }).sign();
  const added: Record<string, string> = {};
  // clients put what they are given beside what they have: a header that is there twice is another one
  signed.headers.forEach((value, name) => headers[name] === undefined && (added[name] = value));
  return added;
}

/** The bucket's base, as a path of the endpoint or as its own host, and what follows it. */
function addressOf(uri: string, { endpoint, bucket }: SignedPlace): { base: string; path: string } {
  const store = new URL(endpoint);
  const prefix = store.pathname.replace(/\/+$/, "");
  const bases = [
    `${store.origin}${prefix}/${encodeURIComponent(bucket)}`,
    `${store.protocol}//${bucket}.${store.host}${prefix}`,
  ];
  const base = bases.find((one) => uri.startsWith(`${one}/`));
  if (base === undefined) throw notOurs();
  return { base, path: uri.slice(base.length + 1) };
}

/** The key that a path has encoded. A path that has more than letters of a key, their escapes and slashes has none. */
function keyOf(path: string): string {
  if (!/^[\w!\-.*'()&$@=:+,~/%]+$/.test(path)) throw notOurs();
  try {
    const key = path.split("/").map(decodeURIComponent).join("/");
    if (key.split("/").length !== path.split("/").length) throw notOurs();
    assertObjectKey(key);
    return key;
  } catch (cause) {
    throw notOurs(cause);
  }
}

function headersOf(sent: Record<string, string[]>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, values] of Object.entries(sent)) {
    const lower = name.toLowerCase();
    if (!lower.startsWith(signedPrefix) || replacedHeaders.includes(lower)) continue;
    const value = values.join(",").trim();
    const isPlain = /^[ -~]{1,256}$/.test(value) && headers[lower] === undefined;
    const isPayload = lower !== "x-amz-content-sha256" || payloads.test(value);
    if (!signedHeaders.includes(lower) || !isPlain || !isPayload) {
      throw new SedimentError("invalid_request", "A header is none of a read", {
        field: `headers.${lower.slice(0, 80)}`,
        expected: signedHeaders.join(", "),
      });
    }
    headers[lower] = value;
  }
  return headers;
}

function notOurs(cause?: unknown): SedimentError {
  return new SedimentError("forbidden", "The URL is none of an object of this lake's bucket", {
    field: "uri",
    expected: "the address of an object, without a query",
    cause,
  });
}
