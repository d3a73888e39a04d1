/** `GET /compaction` (health) and `GET /compaction/status/:instanceId`. */
import { runIdSchema } from "../../shared/protocol/compaction.ts";
import { SedimentError } from "../../shared/errors.ts";
import { readingUser } from "../../shared/http/authenticate.ts";
import { version } from "../../shared/version.ts";
import type { Services } from "../services.ts";

/**
 * Whether the service works, and which version it is. Open to all, so it tells nothing of what is stored; a service
 * sees the catalog's numbers too.
 */
export async function serveHealth(services: Services, request: Request): Promise<Response> {
  const detailed = request.headers.has("apikey")
    ? await services.auth.service(request).then(() => true, () => false)
    : false;
  const health = await services.catalog.catalogHealth({});
  return Response.json(
    { status: health.ok ? "ok" : "degraded", version, ...(detailed ? { catalog: health } : {}) },
    { headers: { "cache-control": "no-store" } },
  );
}

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
