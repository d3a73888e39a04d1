/** Signed requests to one S3 bucket, and what its errors mean (SigV4 by aws4fetch, path-style addresses). */
import { AwsV4Signer } from "aws4fetch";

import { type ErrorCode, SedimentError } from "../errors.ts";
import { brokenOff, failed, type RequestContext, sendRequest } from "./http_call.ts";
import { assertObjectKey, encodeObjectKey } from "./object_key.ts";
import { elementText } from "./s3_xml.ts";

/** Where a bucket is and who may use it. */
export interface S3ClientOptions {
  /** Such as `https://ACCOUNT.r2.cloudflarestorage.com` or `https://s3.eu-central-1.amazonaws.com`. */
  endpoint: string;
  /** @default "auto", which is R2's; Supabase and AWS want the real one */
  region?: string;
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  /** @default globalThis.fetch */
  fetch?: typeof fetch;
}

/** What a request carries beside its method and key. */
export interface S3Request {
  /** Subresource and parameters. */
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: Uint8Array<ArrayBuffer> | string;
}

/** Requests to one bucket. */
export interface S3Client {
  /** Sends a request; answers that aren't a success are thrown as typed errors. Key null is the bucket. */
  send(
    context: RequestContext,
    method: string,
    key: string | null,
    request?: S3Request,
  ): Promise<Response>;
  /** Sends a request whose success may still be an error in the body, as Copy and Complete give it. */
  sendForXml(
    context: RequestContext,
    method: string,
    key: string | null,
    request?: S3Request,
  ): Promise<string>;
  /** A URL that carries its own signature. */
  presign(
    method: string,
    key: string,
    expiresInSeconds: number,
    headers?: Record<string, string>,
  ): Promise<string>;
}

/** Codes that mean something to a caller; all others are `store_failed`. */
const meanings: Record<string, ErrorCode> = {
  NoSuchKey: "object_missing",
  NotFound: "object_missing",
  InvalidRange: "range_not_satisfiable",
  PreconditionFailed: "already_stored",
  EntityTooLarge: "body_too_large",
  NoSuchBucket: "misconfigured",
  AccessDenied: "misconfigured",
  InvalidAccessKeyId: "misconfigured",
  SignatureDoesNotMatch: "misconfigured",
};
const statusMeanings: Record<number, ErrorCode> = {
  401: "misconfigured",
  403: "misconfigured",
  404: "object_missing",
  412: "already_stored",
  413: "body_too_large",
  416: "range_not_satisfiable",
};

/** Makes a client; nothing is sent until it is used. */
export function createS3Client(options: S3ClientOptions): S3Client {
  const base = `${options.endpoint.replace(/\/+$/, "")}/${encodeURIComponent(options.bucket)}`;
  const fetcher = options.fetch ?? ((...args: Parameters<typeof fetch>) => fetch(...args));
  const signing = {
    service: "s3",
    region: options.region ?? "auto",
    accessKeyId: options.accessKeyId,
    secretAccessKey: options.secretAccessKey,
    sessionToken: options.sessionToken,
    cache: new Map<string, ArrayBuffer>(),
  };

  function urlOf(key: string | null, query: Record<string, string> = {}): string {
    if (key !== null) assertObjectKey(key);
    const url = new URL(key === null ? base : `${base}/${encodeObjectKey(key)}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url.href;
  }

  async function send(
    context: RequestContext,
    method: string,
    key: string | null,
    { query, headers, body }: S3Request = {},
  ): Promise<Response> {
    const signer = new AwsV4Signer({ ...signing, method, url: urlOf(key, query), headers });
    const signed = await signer.sign();
    const response = await sendRequest(fetcher, context, signed.url.href, {
      method,
      headers: signed.headers,
      body,
    });
    if (response.ok) return response;
    throw await errorOf(context, response);
  }

  return {
    send,
    async sendForXml(context, method, key, request) {
      const response = await send(context, method, key, request);
      const xml = await response.text().catch((thrown) => {
        throw brokenOff(context, thrown);
      });
      if (/<Error[\s>]/.test(xml)) throw typedError(context, response.status, xml);
      return xml;
    },
    async presign(method, key, expiresInSeconds, headers) {
      const url = urlOf(key, { "X-Amz-Expires": String(expiresInSeconds) });
      const all = { ...signing, method, url, headers, signQuery: true, allHeaders: true };
      const signer = new AwsV4Signer(all);
      return (await signer.sign()).url.href;
    },
  };
}

async function errorOf(context: RequestContext, response: Response): Promise<SedimentError> {
  const body = await response.text().catch(() => "");
  return typedError(context, response.status, body, response.headers.get("retry-after"));
}

function typedError(
  context: RequestContext,
  status: number,
  body: string,
  retryAfter?: string | null,
): SedimentError {
  const s3Code = elementText(body, "Code");
  const detail = `S3 answered ${status} ${s3Code ?? ""}: ${elementText(body, "Message") ?? ""}`;
  const code = s3Code ? meanings[s3Code] : statusMeanings[status];
  if (!code) return failed(context, detail, undefined, retryAfter);
  return new SedimentError(code, `Could not ${context.action} ${context.key}: ${detail}`);
}
