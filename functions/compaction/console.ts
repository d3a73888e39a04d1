/** What the console shows: `/compaction/overview`, `/datasets`, `/partitions`, `/runs`, `/quarantine`. */
import { readingUser } from "../../shared/http/authenticate.ts";
import { queryOf } from "../../shared/http/query_of.ts";
import { taggedJson } from "../../shared/http/tagged_json.ts";
import {
  datasetsQuerySchema,
  overviewQuerySchema,
  overviewWindows,
  partitionsQuerySchema,
  quarantineQuerySchema,
  runsQuerySchema,
} from "../../shared/protocol/console.ts";
import { validate } from "../../shared/protocol/validate.ts";
import type { HttpApp } from "../../shared/http/http_app.ts";
import { refuseOtherMethods } from "../../shared/http/http_app.ts";
import type { Services } from "../services.ts";
import { runOf } from "./status.ts";

/** Adds the routes: a user's of what is shared with them, a service's of all. */
export function addConsoleRoutes(app: HttpApp, services: Services): void {
  const { catalog } = services;
  const route = (
    path: string,
    answer: (request: Request, user: string | null, id: string) => Promise<unknown>,
  ) => {
    app.get(path, async (c) => {
      const caller = await services.auth.userOrService(c.req.raw);
      const id = path.includes(":id") ? c.req.param("id") ?? "" : "";
      return taggedJson(c.req.raw, await answer(c.req.raw, readingUser(caller), id));
    });
    refuseOtherMethods(app, path, ["GET"]);
  };

  route("/overview", (request, user) => {
    const { window = "24h" } = validate(overviewQuerySchema, queryOf(request));
    return catalog.readOverview({ user, seconds: overviewWindows[window] });
  });
  route("/datasets", (request, user) => {
    const { limit, cursor = null } = validate(datasetsQuerySchema, queryOf(request));
    return catalog.listDatasets({ user, limit, cursor });
  });
  route("/partitions", (request, user) => {
    const query = validate(partitionsQuerySchema, queryOf(request));
    return catalog.listPartitions({
      user,
      dataset: query.dataset_id ?? null,
      table: query.table ?? null,
      periodTag: query.period_tag ?? null,
      state: query.state ?? null,
      limit: query.limit,
      cursor: query.cursor ?? null,
    });
  });
  route("/runs", (request, user) => {
    const query = validate(runsQuerySchema, queryOf(request));
    return catalog.listRuns({
      user,
      dataset: query.dataset_id ?? null,
      table: query.table ?? null,
      periodTag: query.period_tag ?? null,
      failed: query.failed === "1",
      limit: query.limit,
      before: query.before ?? null,
    });
  });
  route("/runs/:id", (_request, user, id) => {
    return catalog.runTimeline({ user, run: runOf("run_id", id) });
  });
  route("/quarantine", (request, user) => {
    const query = validate(quarantineQuerySchema, queryOf(request));
    return catalog.listQuarantined({
      user,
      dataset: query.dataset_id ?? null,
      limit: query.limit,
    });
  });
}
