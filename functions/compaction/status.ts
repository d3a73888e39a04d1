/** `GET /compaction` (health) and `GET /compaction/status/:instanceId`. */
import { sendAlerts } from "../../shared/alerts/send_alerts.ts";
import { runIdSchema } from "../../shared/protocol/compaction.ts";
import { asSedimentError, SedimentError } from "../../shared/errors.ts";
import { missingModules } from "../../shared/wasm/missing_modules.ts";
import { readingUser } from "../../shared/http/authenticate.ts";
import { version } from "../../shared/version.ts";
import { inBackground } from "../in_background.ts";
import type { Services } from "../services.ts";

/**
 * Whether work goes on, and which version it is: 503 with reasons when it is stuck, which monitors understand. Open to all,
 * so it tells nothing of what is stored; a service sees the catalog's numbers too.
 */
export async function serveHealth(services: Services, request: Request): Promise<Response> {
  const detailed = request.headers.has("apikey")
    ? await services.auth.service(request).then(() => true, () => false)
    : false;
  const health = await services.catalog.catalogHealth({}).catch(asSedimentError);
  const failed = health instanceof SedimentError;
  const stuck = failed || !health.ok;
  if (!failed && stuck) await inBackground(alertOf(services, health));
  // Without them some files can't be checked or merged; that the store can't be asked is another matter.
  const missing = await missingModules(services.store).catch(() => []);
  const reasons = [
    ...(failed ? [health.code] : health.reasons ?? []).map((code) => ({
      code,
      detail: (failed ? failures[code] : health.details?.[code]) ??
        "the catalog does not answer as it should",
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

/** What the failures of a look at the catalog say; of its own reasons it says so itself. */
const failures: Record<string, string> = {
  schema_outdated: "the schema is older than these functions: supabase db push",
};

/** For the sending that goes along with a look at health: a monitor waits for the answer. */
const alertDeadlineMs = 10_000;

/**
 * Tells of what health has found where nothing has told of it yet, and sends it. The jobs of pg_cron do so each minute;
 * that they don't run, or their pings are refused, only somebody else can tell.
 */
async function alertOf(
  services: Services,
  { reasons = [], open_incidents: told = [] }: { reasons?: string[]; open_incidents?: string[] },
): Promise<void> {
  const { catalog } = services;
  const signal = AbortSignal.timeout(alertDeadlineMs);
  try {
    // The breaker tells of itself.
    const news = reasons.some((code) => code !== "breaker_open" && !told.includes(code));
    if (news) await catalog.watchHealth({ close: false }, { signal });
    const { errors } = await sendAlerts({ catalog }, { signal });
    for (const error of errors) console.error(JSON.stringify({ level: "error", alert: error }));
  } catch {
    // The database takes no writes, or has gone since: the answer says it.
  }
}

/** Where a run is; other users' runs are not found. */
export async function serveStatus(
  services: Services,
  request: Request,
  instanceId: string,
): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const run = runOf("instanceId", instanceId);
  const status = await services.catalog.runStatus({ user: readingUser(caller), run });
  return Response.json({ ...status, run_id: status.instanceId }, {
    headers: { "cache-control": "no-store" },
  });
}

/** The run of a path. @throws SedimentError `run_not_found` where it is no id of one */
export function runOf(field: string, text: string): string {
  const id = runIdSchema.safeParse(text);
  if (id.success) return id.data;
  throw new SedimentError("run_not_found", `The ${field} is not the id of a run`, {
    field,
    expected: "a UUID, the instanceId or metricId of a run",
  });
}
