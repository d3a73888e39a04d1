/** Errors as Iceberg's clients read them, beside the problem that all functions answer. */
import { asSedimentError, SedimentError } from "../../shared/errors.ts";
import type { HttpApp } from "../../shared/http/http_app.ts";
import { notFound, problemResponse } from "../../shared/http/problem.ts";

/** Where tokens are given, below the function's name. */
export const tokenPath = "/v1/oauth/tokens";

/** By status: names of the specification's ErrorModel. */
const types: Record<number, string> = {
  400: "BadRequestException",
  401: "NotAuthorizedException",
  403: "ForbiddenException",
  404: "NoSuchTableException",
  405: "UnsupportedOperationException",
  429: "TooManyRequestsException",
  503: "ServiceUnavailableException",
};

/**
 * A problem with the member `error`, in which Iceberg's clients look: `{message, type, code}`; a refused token's is a text of
 * OAuth 2.
 */
export async function icebergProblem(
  thrown: unknown,
  requestId: string,
  path: string,
): Promise<Response> {
  const known = asMissing(thrown);
  const answer = problemResponse(known, requestId);
  const problem = await answer.json();
  const { status } = known;
  if (path.endsWith(tokenPath) && isOfOauth(status)) return oauthProblem(known, problem, answer);
  const where = [problem.field, problem.expected].filter((text) => text !== undefined).join(": ");
  const error = {
    // all that these clients show
    message: `${problem.detail} (${problem.code})${where === "" ? "" : `; ${where}`}`,
    type: types[status] ?? (status < 500 ? types[400] : "InternalServerError"),
    code: status,
  };
  return new Response(JSON.stringify({ ...problem, error }), { status, headers: answer.headers });
}

/** RFC 6749 section 5.2 has no words for what is asked too often, for our own failures, and for what is not there. */
function isOfOauth(status: number): boolean {
  return status >= 400 && status < 500 && ![404, 405, 429].includes(status);
}

/** `{error, error_description}` of RFC 6749 section 5.2, beside the problem's members. */
function oauthProblem(
  { status, field, message }: SedimentError,
  problem: Record<string, unknown>,
  { headers }: Response,
): Response {
  const isOfClient = status === 401 || field === "client_secret";
  const error = field === "grant_type"
    ? "unsupported_grant_type"
    : isOfClient
    ? "invalid_client"
    : "invalid_request";
  headers.set("content-type", "application/json");
  headers.set("cache-control", "no-store");
  // a client that has come by `Authorization: Basic` is to be told of that scheme
  if (status === 401) headers.set("www-authenticate", 'Basic realm="iceberg"');
  // the characters that the RFC allows there
  const error_description = message.replaceAll(/[^ !#-[\]-~]/g, "'");
  return new Response(JSON.stringify({ ...problem, error, error_description }), {
    status,
    headers,
  });
}

/** A dataset that was deleted is no namespace: DuckDB passes over one that is missing, and fails of a 410 with all the others. */
function asMissing(thrown: unknown): SedimentError {
  const error = asSedimentError(thrown);
  if (error.code !== "dataset_deleted") return error;
  return new SedimentError("not_found", error.message, { cause: error });
}

/** Refuses everything that isn't reading, and what is not here. Add it after the routes. */
export function refuseWrites(app: HttpApp): void {
  app.all("/v1/*", (c) => {
    if (["GET", "HEAD"].includes(c.req.method)) throw notFound(new URL(c.req.url).pathname);
    throw new SedimentError("method_not_allowed", `${c.req.method}: this catalog is read-only`, {
      field: "method",
      expected: "GET, HEAD",
    });
  });
}
