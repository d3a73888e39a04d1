/** `GET /compaction` (health) and `GET /compaction/status/:instanceId`. */
import { runIdSchema } from "../../shared/protocol/compaction.ts";
import { SedimentError } from "../../shared/errors.ts";
import { missingModules } from "../../shared/wasm/missing_modules.ts";
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
  // Without them some files can't be checked or merged; that the store can't be asked is another matter.
  const missing = await missingModules(services.store).catch(() => []);
  const reasons = missing.map((key) => ({
    code: "wasm_missing",
    detail: `${key} is not in the object store; deno task deploy:wasm puts it there`,
  }));
  const status = health.ok && reasons.length === 0 ? "ok" : "degraded";
  return Response.json(
    {
      status,
      version,
      ...(reasons.length === 0 ? {} : { reasons }),
      ...(detailed ? { catalog: health } : {}),
    },
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
