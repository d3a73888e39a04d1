/** `POST /battle-data/upload/:stage/complete`: the end of a direct upload. */
import { SedimentError } from "../../shared/errors.ts";
import { actingUser } from "../../shared/http/authenticate.ts";
import { stageIdSchema } from "../../shared/protocol/upload.ts";
import { completeUpload } from "../../shared/uploads/complete_upload.ts";
import { stageDetailsSchema, unpackCut } from "../../shared/uploads/stage_upload.ts";
import type { Services } from "../services.ts";
import { logCommitted } from "../log_upload.ts";
import { uploadPorts } from "../upload_ports.ts";
import { uploadAnswer } from "./upload.ts";

/** Checks what the client has put into the store and acknowledges it. */
export async function completeDirect(
  services: Services,
  request: Request,
  stageId: string,
): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const userId = actingUser(caller);
  if (!stageIdSchema.safeParse(stageId).success) throw noSuchUpload();
  const stage = await services.catalog.getUpload({ stage: stageId, user: userId });
  const details = stageDetailsSchema.safeParse(stage.details);
  if (stage.incoming_key === null || !details.success) throw noSuchUpload();
  const isOver = stage.state === "deleting" || stage.state === "tombstone";
  if (stage.answer === null && isOver) {
    // what was put is gone with it, or soon will be
    throw new SedimentError("stage_expired", `stage ${stageId} has expired or was given up`, {
      expected: "another upload, from step 1",
    });
  }
  const described = {
    datasetId: stage.dataset_id,
    table: stage.table,
    periodTag: stage.period_tag,
    size: stage.size,
    contentHash: stage.content_hash,
  };
  const staged = {
    stageId,
    userId,
    objectKey: stage.object_key,
    duplicate: stage.answer !== null,
    request: { ...described, ...unpackCut(details.data.cut, described) },
  };
  const ports = uploadPorts(services);
  const { incoming_key: incomingKey, answer: firstAnswer } = stage;
  const stored = await completeUpload(
    ports,
    staged,
    { incomingKey, firstAnswer },
    request.signal,
  );
  logCommitted(services, request, userId, stored);
  return uploadAnswer(stored);
}

function noSuchUpload(): SedimentError {
  return new SedimentError("not_found", "There is no direct upload of that id", {
    field: "path",
    expected: "the completeUrl that step 1 gave",
  });
}
