/**
 * Signature Version 4 as a server checks it, in the Authorization header or in the query (AWS General Reference,
 * "Create a signed AWS API request"; S3 API Reference, "Authenticating Requests: Using Query Parameters").
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

import { S3Error } from "./s3_error.ts";

/** What a request says of its signature, not yet checked. */
export interface ClaimedSignature {
  accessKeyId: string;
  /** `YYYYMMDD` of the scope. */
  day: string;
  region: string;
  /** `YYYYMMDDTHHMMSSZ`. */
  time: string;
  signedHeaders: string[];
  signature: string;
  /** A user's access token, where the request is a session's. */
  sessionToken?: string;
  /** Seconds that a presigned URL lives; absent when the signature is in the header. */
  expiresIn?: number;
}

const algorithm = "AWS4-HMAC-SHA256";
/** How far clocks may be apart, ms; S3's own bound. */
const mostSkew = 15 * 60 * 1000;
/** Presigned URLs live for seven days at most. */
const mostSeconds = 604_800;

/** The signature that a request carries. Throws `AccessDenied` where there is none that can be read. */
export function claimedSignature(request: Request): ClaimedSignature {
  const query = new URL(request.url).searchParams;
  const header = request.headers.get("authorization") ?? "";
  if (header.startsWith(`${algorithm} `)) {
    const part = (name: string) => new RegExp(`${name}=([^,\\s]+)`).exec(header)?.[1] ?? "";
    return read({
      credential: part("Credential"),
      signedHeaders: part("SignedHeaders"),
      signature: part("Signature"),
      time: request.headers.get("x-amz-date") ?? "",
      sessionToken: request.headers.get("x-amz-security-token") ?? undefined,
    });
  }
  const credential = query.get("X-Amz-Credential");
  if (credential === null) throw new S3Error("AccessDenied", "Missing signature");
  if (query.get("X-Amz-Algorithm") !== algorithm) throw new S3Error("AccessDenied");
  return read({
    credential,
    signedHeaders: query.get("X-Amz-SignedHeaders") ?? "",
    signature: query.get("X-Amz-Signature") ?? "",
    time: query.get("X-Amz-Date") ?? "",
    sessionToken: query.get("X-Amz-Security-Token") ?? undefined,
    expiresIn: Number(query.get("X-Amz-Expires") ?? NaN),
  });
}

function read(
  { credential, signedHeaders, ...rest }: {
    credential: string;
    signedHeaders: string;
    signature: string;
    time: string;
    sessionToken?: string;
    expiresIn?: number;
  },
): ClaimedSignature {
  const [accessKeyId, day, region, service, end] = credential.split("/");
  const sound = service === "s3" && end === "aws4_request" && /^\d{8}T\d{6}Z$/.test(rest.time) &&
    day === rest.time.slice(0, 8);
  if (!sound) throw new S3Error("AuthorizationHeaderMalformed");
  return { accessKeyId, day, region, signedHeaders: signedHeaders.split(";"), ...rest };
}

/**
 * Checks time and signature.
 *
 * @param secrets of which one has to have made the signature
 * @param now milliseconds since 1970
 * @throws S3Error `RequestTimeTooSkewed`, `AccessDenied` for an expired URL, `SignatureDoesNotMatch`
 */
export function checkSignature(
  request: Request,
  claimed: ClaimedSignature,
  secrets: string[],
  now: number,
): void {
  const signedAt = Date.parse(
    claimed.time.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z"),
  );
  if (Number.isNaN(signedAt)) throw new S3Error("AuthorizationHeaderMalformed");
  if (claimed.expiresIn !== undefined) {
    const seconds = claimed.expiresIn;
    if (!(seconds >= 1 && seconds <= mostSeconds)) throw new S3Error("InvalidArgument");
    if (now > signedAt + seconds * 1000) throw new S3Error("AccessDenied", "Request has expired");
    if (signedAt > now + mostSkew) throw new S3Error("RequestTimeTooSkewed");
  } else if (Math.abs(now - signedAt) > mostSkew) {
    throw new S3Error("RequestTimeTooSkewed");
  }
  if (!claimed.signedHeaders.includes("host")) throw new S3Error("SignatureDoesNotMatch");
  const scope = `${claimed.day}/${claimed.region}/s3/aws4_request`;
  const text = [algorithm, claimed.time, scope, sha256(canonicalRequest(request, claimed))]
    .join("\n");
  const given = new TextEncoder().encode(claimed.signature);
  const matches = secrets.some((secret) => {
    const key = [claimed.day, claimed.region, "s3", "aws4_request"].reduce<string | Uint8Array>(
      (key, word) => createHmac("sha256", key).update(word).digest(),
      `AWS4${secret}`,
    );
    const ours = new TextEncoder().encode(createHmac("sha256", key).update(text).digest("hex"));
    return ours.length === given.length && timingSafeEqual(ours, given);
  });
  if (!matches) throw new S3Error("SignatureDoesNotMatch");
}

function canonicalRequest(request: Request, claimed: ClaimedSignature): string {
  const url = new URL(request.url);
  const header = (name: string) =>
    name === "host" ? request.headers.get("host") ?? url.host : request.headers.get(name) ?? "";
  const presigned = claimed.expiresIn !== undefined;
  return [
    request.method,
    // S3 encodes a path once, and all but the unreserved marks and the slash.
    url.pathname.split("/").map((part) => encode(decode(part))).join("/"),
    [...url.searchParams]
      .filter(([name]) => name !== "X-Amz-Signature")
      .map(([name, value]) => [encode(name), encode(value)])
      // by name, and only then by value: `=` is not part of the order
      .sort(([a, x], [b, y]) => a < b || (a === b && x < y) ? -1 : 1)
      .map((pair) => pair.join("="))
      .join("&"),
    ...claimed.signedHeaders.map((name) => `${name}:${header(name).trim().replace(/ +/g, " ")}`),
    "",
    claimed.signedHeaders.join(";"),
    presigned ? "UNSIGNED-PAYLOAD" : request.headers.get("x-amz-content-sha256") ?? sha256(""),
  ].join("\n");
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (mark) => "%" + mark.charCodeAt(0).toString(16).toUpperCase(),
  );
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error("InvalidArgument", "The path is not encoded as a URL's");
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
