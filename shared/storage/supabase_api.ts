/** Calls of the Storage API, authorized, with its refusals as typed errors. */
import { SedimentError } from "../errors.ts";
import { failed, type RequestContext, sendRequest } from "./http_call.ts";

/** What a call sends beside its authorization. */
export interface StorageInit {
  headers?: Record<string, string>;
  body?: BodyInit;
}

/** Sends requests to a Storage API. */
export interface StorageApi {
  /** Gives the answer, whatever it is. */
  send(context: RequestContext, method: string, url: string, init?: StorageInit): Promise<Response>;
  /** Gives the answer when it is a success; else throws the typed error. */
  call(context: RequestContext, method: string, url: string, init?: StorageInit): Promise<Response>;
  /** The same with a body of JSON. */
  callJson(context: RequestContext, method: string, url: string, body: unknown): Promise<Response>;
}

/**
 * Opens it; nothing is sent until it is used.
 *
 * @param options.secretKey `sb_secret_…` or a service_role JWT
 */
export function openStorageApi(
  options: { secretKey: string; fetch?: typeof fetch },
): StorageApi {
  const fetchAny = options.fetch ?? ((...args: Parameters<typeof fetch>) => fetch(...args));
  const authorization = { apikey: options.secretKey, ...bearer(options.secretKey) };
  const api: StorageApi = {
    send(context, method, url, init = {}) {
      // Plain names: fetch makes its own Headers of them, and each further one costs as much as the rest of the call.
      const headers = { ...authorization, ...init.headers };
      return sendRequest(fetchAny, context, url, { method, headers, body: init.body });
    },
    async call(context, method, url, init) {
      const response = await api.send(context, method, url, init);
      if (response.ok) return response;
      throw await storageError(context, response);
    },
    callJson: (context, method, url, body) =>
      api.call(context, method, url, {
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
  };
  return api;
}

/**
 * The body of an error of the Storage API; its status is here, the HTTP status is mostly 400. Older versions
 * drop `code`, and `error` then has it or an older word.
 */
interface ApiError {
  statusCode?: string | number;
  error?: string;
  code?: string;
  message?: string;
}

/** The typed error of an answer that is no success. */
export async function storageError(
  context: RequestContext,
  response: Response,
): Promise<SedimentError> {
  const body: ApiError = await response.json().catch(() => ({}));
  const status = Number(body.statusCode ?? response.status) || response.status;
  const detail = `Storage answered ${response.status} ${status} ` +
    `${body.code ?? body.error ?? ""}: ${body.message ?? "no message"}`;
  const tell = (code: SedimentError["code"]) =>
    new SedimentError(code, `Could not ${context.action} ${context.key}: ${detail}`);
  if (response.status === 416 || status === 416 || body.code === "InvalidRange") {
    return tell("range_not_satisfiable");
  }
  if (response.status === 413 || status === 413) return tell("body_too_large");
  if (status === 409 && /Duplicate|AlreadyExists/.test(`${body.error} ${body.code}`)) {
    return tell("already_stored");
  }
  if (status === 404) {
    const bucketMissing = body.code === "NoSuchBucket" || /bucket/i.test(body.message ?? "");
    return tell(bucketMissing ? "misconfigured" : "object_missing");
  }
  if (status === 401 || status === 403) return tell("misconfigured");
  if (body.code === "InvalidKey" || body.error === "InvalidKey") return tell("invalid_name");
  return failed(context, detail, undefined, response.headers.get("retry-after"));
}

/** A JWT goes into Authorization too; a secret key must not, since it isn't one. */
function bearer(key: string): Record<string, string> {
  return key.startsWith("sb_") ? {} : { authorization: `Bearer ${key}` };
}
