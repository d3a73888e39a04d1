/** `GET /compaction/dlq-status`, `POST /compaction/dlq/redrive` and `…/drop`. A user reaches only his own runs. */
import {
  deadLetterQuerySchema,
  dropSchema,
  redriveSchema,
} from "../../shared/protocol/compaction.ts";
import { readingUser } from "../../shared/http/authenticate.ts";
import { readJson } from "../../shared/http/read_json.ts";
import { validate } from "../../shared/protocol/validate.ts";
import { queryOf } from "../../shared/http/query_of.ts";
import { bodyLimits, type Services } from "../services.ts";

/** How many runs were given up, and which, the latest first. */
export async function serveDeadLetters(services: Services, request: Request): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const query = validate(deadLetterQuerySchema, queryOf(request));
  const letters = await services.catalog.listDeadLetters({
    user: readingUser(caller),
    dataset: query.dataset_id ?? null,
    limit: query.limit,
    cursor: query.cursor ?? null,
  });
  return Response.json(letters, { headers: { "cache-control": "no-store" } });
}

/** Gives dead partitions another run. */
export async function redrive(services: Services, request: Request): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const { ids, limit, ...filter } = await readJson(
    request,
    redriveSchema,
    bodyLimits(services.env),
  );
  const redriven = await services.catalog.redriveDeadLetters({
    user: readingUser(caller),
    ids: ids ?? null,
    filter: Object.keys(filter).length === 0 ? null : filter,
    limit,
  });
  return Response.json({ status: "accepted", success: true, ...redriven }, { status: 202 });
}

/** Closes dead letters without another run. */
export async function drop(services: Services, request: Request): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const { ids } = await readJson(request, dropSchema, bodyLimits(services.env));
  const dropped = await services.catalog.dropDeadLetters({ user: readingUser(caller), ids });
  return Response.json({ success: true, ...dropped });
}
