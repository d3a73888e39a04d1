/** The lines of the log that tell of uploads. */
import { requestIdOf } from "../shared/http/request_id.ts";
import type { UploadAnswer } from "../shared/uploads/ports.ts";
import type { StagedUpload } from "../shared/uploads/stage_upload.ts";
import type { Services } from "./services.ts";

/** Tells of a planned upload. */
export function logStaged(
  { log }: Services,
  request: Request,
  userId: string,
  { stageId, duplicate, request: upload }: StagedUpload,
): void {
  log({
    event: "upload_staged",
    request_id: requestIdOf(request.headers),
    user_id: userId,
    dataset_id: upload.datasetId,
    table: upload.table,
    period_tag: upload.periodTag,
    upload: stageId,
    size: upload.size,
    duplicate,
  });
}

/** Tells of a stored upload. */
export function logCommitted(
  { log }: Services,
  request: Request,
  userId: string,
  stored: UploadAnswer,
): void {
  log({
    event: "upload_committed",
    request_id: requestIdOf(request.headers),
    user_id: userId,
    dataset_id: stored.dataset_id,
    key: stored.key,
    size: stored.size,
    version: stored.version,
    tables: stored.runs.length,
    run_id: stored.metricId,
    duplicate: stored.duplicate,
  });
}
