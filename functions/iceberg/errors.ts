/** Errors as Iceberg's clients read them, beside the problem that all functions answer. */
import { asSedimentError, SedimentError } from "../../shared/errors.ts";
import type { HttpApp } from "../../shared/http/http_app.ts";
import { notFound, problemResponse } from "../../shared/http/problem.ts";

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

/** A problem with the member `error`, in which Iceberg's clients look: `{message, type, code}`. */
export async function icebergProblem(thrown: unknown, requestId: string): Promise<Response> {
  const known = asMissing(thrown);
  const answer = problemResponse(known, requestId);
  const problem = await answer.json();
  const { status } = known;
  const error = {
    message: `${problem.detail} (${problem.code})`,
    type: types[status] ?? "InternalServerError",
    code: status,
  };
  return new Response(JSON.stringify({ ...problem, error }), { status, headers: answer.headers });
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
