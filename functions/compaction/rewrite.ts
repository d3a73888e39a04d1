/** `/compaction/rewrite`: tables that are written anew by their settings. */
import { readingUser } from "../../shared/http/authenticate.ts";
import { queryOf } from "../../shared/http/query_of.ts";
import { readJson } from "../../shared/http/read_json.ts";
import { rewriteQuerySchema, rewriteRequestSchema } from "../../shared/protocol/compaction.ts";
import { validate } from "../../shared/protocol/validate.ts";
import { bodyLimits, type Services } from "../services.ts";
import { owner } from "./request.ts";

/** Asks for a table to be written anew, over time, or stops that. */
export async function askForRewrite(services: Services, request: Request): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const fields = await readJson(request, rewriteRequestSchema, bodyLimits(services.env));
  const rewrite = await services.catalog.requestRewrite({
    user: owner(caller, fields.user_id),
    dataset: fields.dataset_id,
    table: fields.table,
    periodTag: fields.period_tag ?? null,
    stop: fields.stop ?? false,
  });
  return Response.json({ status: "accepted", success: true, ...rewrite }, { status: 202 });
}

/** How far those of a dataset are. */
export async function serveRewrites(services: Services, request: Request): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const query = validate(rewriteQuerySchema, queryOf(request));
  const rewrites = await services.catalog.listRewrites({
    user: readingUser(caller),
    dataset: query.dataset_id,
  });
  return Response.json(rewrites, { headers: { "cache-control": "no-store" } });
}
