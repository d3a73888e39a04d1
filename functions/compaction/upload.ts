/** `POST /compaction/upload`: a fragment as a form of few fields. */
import { formUploadSchema } from "../../shared/protocol/upload.ts";
import { withRunIds } from "../../shared/protocol/run_ids.ts";
import { actingUser } from "../../shared/http/authenticate.ts";
import { idempotencyKeyOf } from "../../shared/http/idempotency_key.ts";
import { readMultipart } from "../../shared/http/read_multipart.ts";
import { isOfDigest } from "../../shared/protocol/names.ts";
import { validate } from "../../shared/protocol/validate.ts";
import { sha256 } from "../../shared/uploads/digests.ts";
import { uploadAtOnce } from "../../shared/uploads/receive_upload.ts";
import { uploadRequestOf } from "../../shared/uploads/upload_request.ts";
import { olderSpellings } from "../../shared/protocol/spellings.ts";
import { bodyOf, type Services } from "../services.ts";
import { logCommitted } from "../log_upload.ts";
import { uploadPorts } from "../upload_ports.ts";

/** Stores the file as a fragment of its table; its arrival asks for compaction. */
export async function takeFragment(services: Services, request: Request): Promise<Response> {
  const { env } = services;
  const caller = await services.auth.userOrService(request);
  const form = await readMultipart(request, bodyOf(services, caller));
  const names = [...Object.keys(formUploadSchema.shape), ...Object.keys(olderSpellings)];
  const given: Record<string, string | undefined> = {};
  // An empty field is one that a form left blank.
  for (const name of names) given[name] = await form.text(name) || undefined;
  const fields = validate(formUploadSchema, given);
  const file = await form.bytes("file");
  const bodyHash = sha256(file);
  const upload = uploadRequestOf({
    ...fields,
    file_size: file.byteLength,
    content_hash: bodyHash,
  });
  const userId = actingUser(caller);
  const stored = await uploadAtOnce(
    uploadPorts(services),
    userId,
    upload,
    file,
    {
      ttlSeconds: env.SEDIMENT_UPLOAD_TTL_SECONDS,
      idempotencyKey: idempotencyKeyOf(request.headers),
      bodyHash,
      ownDataset: isOfDigest(upload.datasetId),
    },
    request.signal,
  );
  logCommitted(services, request, userId, stored);
  return Response.json({
    ok: true,
    success: true,
    instanceId: stored.metricId,
    tableId: upload.table,
    fileName: stored.key.split("/").at(-1),
    fileSize: stored.size,
    ...withRunIds(stored),
  });
}
