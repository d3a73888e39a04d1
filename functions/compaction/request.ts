/** Asking for compaction: `POST /compaction`, `/sanitize-state`, `/trigger-scheduled`. */
import {
  compactionRequestSchema,
  retryQuarantinedSchema,
  sanitizeRequestSchema,
} from "../../shared/protocol/compaction.ts";
import { actingUser, type Caller, readingUser } from "../../shared/http/authenticate.ts";
import { readJson } from "../../shared/http/read_json.ts";
import { withRunId } from "../../shared/protocol/run_ids.ts";
import { bodyLimits, type Services } from "../services.ts";

/** Accepts a request for a dataset, a table of it or one partition. */
export async function acceptRequest(services: Services, request: Request): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const fields = await readJson(request, compactionRequestSchema, bodyLimits(services.env));
  return await ask(services, {
    user: owner(caller, fields.user_id),
    dataset: fields.dataset_id,
    table: fields.table ?? null,
    periodTag: fields.period_tag ?? null,
    // Whoever asks in person does not want to hear of min_inputs.
    priority: caller.kind === "user" ? "manual" : fields.priority ?? "realtime",
  });
}

/** The owner's trigger for everything in the dataset. */
export async function sanitizeState(services: Services, request: Request): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const fields = await readJson(request, sanitizeRequestSchema, bodyLimits(services.env));
  return await ask(services, {
    user: owner(caller, fields.user_id),
    dataset: fields.dataset_id,
    table: null,
    periodTag: null,
    priority: "manual",
  });
}

/** The nightly trigger: the datasets whose debt is oldest. */
export async function triggerScheduled(services: Services, request: Request): Promise<Response> {
  await services.auth.service(request);
  const asked = await services.catalog.triggerScheduled({
    maxDatasets: services.env.MAX_DATASETS_PER_RUN ?? null,
    concurrency: services.env.SCHEDULE_CONCURRENCY ?? null,
    delayMs: services.env.SCHEDULE_DELAY_MS ?? null,
  });
  return Response.json({
    status: "accepted",
    success: true,
    enqueued: asked.partitions,
    ...asked,
  }, { status: 202 });
}

/** Gives files in quarantine another chance, and asks for compaction of their partitions. */
export async function retryQuarantined(services: Services, request: Request): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const fields = await readJson(request, retryQuarantinedSchema, bodyLimits(services.env));
  const retried = await services.catalog.retryQuarantined({
    user: owner(caller, fields.user_id),
    dataset: fields.dataset_id,
    files: fields.files ?? null,
  });
  return Response.json({
    status: "accepted",
    success: true,
    ...retried,
    requested: retried.requested.map(withRunId),
  }, { status: 202 });
}

/** Whose dataset it has to be; null when a service asks for nobody in particular. */
export function owner(caller: Caller, field: string | undefined): string | null {
  return field === undefined ? readingUser(caller) : actingUser(caller, field);
}

async function ask(
  services: Services,
  input: Parameters<Services["catalog"]["requestCompaction"]>[0],
): Promise<Response> {
  const asked = await services.catalog.requestCompaction(input);
  return Response.json({
    status: "accepted",
    success: true,
    message: asked.partitions === 0
      ? "Nothing is in debt"
      : `Compaction of ${asked.partitions} partition${asked.partitions === 1 ? "" : "s"} is queued`,
    ...asked,
    run_id: asked.instanceId,
    requested: asked.requested.map(withRunId),
  }, { status: 202 });
}
