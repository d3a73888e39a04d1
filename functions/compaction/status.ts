/** `GET /compaction` (health) and `GET /compaction/status/:instanceId`. */
import { runIdSchema } from "../../shared/protocol/compaction.ts";
import { asSedimentError, SedimentError } from "../../shared/errors.ts";
import { missingModules } from "../../shared/wasm/missing_modules.ts";
import { readingUser } from "../../shared/http/authenticate.ts";
import { version } from "../../shared/version.ts";
import type { Services } from "../services.ts";

/**
 * Whether work goes on, and which version it is: 503 with reasons when it is stuck, which monitors understand. Open to all, so it tells nothing of what is stored; a service
 * sees the catalog's numbers too.
 */
export async function serveHealth(services: Services, request: Request): Promise<Response> {
  const detailed = request.headers.has("apikey")
    ? await services.auth.service(request).then(() => true, () => false)
    : false;
  const health = await services.catalog.catalogHealth({}).catch(asSedimentError);
  const failed = health instanceof SedimentError;
  const stuck = failed || !health.ok;
  // Without them some files can't be checked or merged; that the store can't be asked is another matter.
  const missing = await missingModules(services.store).catch(() => []);
  const reasons = [
    ...(failed ? [health.code] : health.reasons ?? []).map((code) => ({
      code,
      detail: stuckReasons[code] ?? "the catalog does not answer as it should",
    })),
    ...missing.map((key) => ({
      code: "wasm_missing",
      detail: `${key} is not in the object store; deno task deploy:wasm puts it there`,
    })),
  ];
  const catalog = detailed ? { catalog: failed ? { error: health.message } : health } : {};
  if (stuck) {
    throw new SedimentError("work_stuck", reasons.map(({ detail }) => detail).join("; "), {
      extra: { reasons, version, ...catalog },
      cause: failed ? health : undefined,
    });
  }
  return Response.json(
    {
      status: reasons.length === 0 ? "ok" : "degraded",
      version,
      ...(reasons.length === 0 ? {} : { reasons }),
      ...catalog,
    },
    { headers: { "cache-control": "no-store" } },
  );
}

/** What the reasons of `catalog_health` say; more in docs/operations.md. */
const stuckReasons: Record<string, string> = {
  breaker_open:
    "store or catalog failed at two partitions: nothing is claimed until probes succeed",
  work_waits: "a message is due for over 90 s and nobody has claimed anything since",
  pings_refused: "the pings of the last five minutes were refused",
  jobs_missing: "pg_cron lacks a job of ours",
  jobs_failing: "a job of pg_cron has failed three times in a row",
  leases_overdue: "a lease that ended was not taken back: the minutely jobs do not run",
  debt_overdue: "debt is due and has no message: the minutely jobs do not run",
  read_only: "the database takes no writes",
  schema_outdated: "the schema is older than these functions: supabase db push",
};

/** Where a run is; other users' runs are not found. */
export async function serveStatus(
  services: Services,
  request: Request,
  instanceId: string,
): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const id = runIdSchema.safeParse(instanceId);
  if (!id.success) {
    throw new SedimentError("run_not_found", "The instanceId is not the id of a run", {
      field: "instanceId",
      expected: "a UUID, the instanceId or metricId of a run",
    });
  }
  const status = await services.catalog.runStatus({ user: readingUser(caller), run: id.data });
  return Response.json({ ...status, run_id: status.instanceId }, {
    headers: { "cache-control": "no-store" },
  });
}
