/** `POST /battle-data/upload` in its two forms, and the bytes of the two-request one. */
import { SedimentError } from "../../shared/errors.ts";
import { actingUser } from "../../shared/http/authenticate.ts";
import { idempotencyKeyOf } from "../../shared/http/idempotency_key.ts";
import { readBody } from "../../shared/http/read_body.ts";
import { parseJson, readJson } from "../../shared/http/read_json.ts";
import { isMultipart, readMultipart } from "../../shared/http/read_multipart.ts";
import { createServerTiming, type ServerTiming } from "../../shared/http/server_timing.ts";
import { validate } from "../../shared/protocol/validate.ts";
import { sha256 } from "../../shared/uploads/digests.ts";
import type { UploadAnswer } from "../../shared/uploads/ports.ts";
import { receiveUpload, uploadAtOnce } from "../../shared/uploads/receive_upload.ts";
import {
  packedStageSchema,
  packStage,
  stageUpload,
  unpackStage,
} from "../../shared/uploads/stage_upload.ts";
import { multipartFieldsSchema, uploadFieldsSchema } from "../../shared/protocol/upload.ts";
import { isOfDigest } from "../../shared/protocol/names.ts";
import { withRunIds } from "../../shared/protocol/run_ids.ts";
import { type UploadRequest, uploadRequestOf } from "../../shared/uploads/upload_request.ts";
import { checkSize } from "../check_size.ts";
import { baseUrl, bodyLimits, bodyOf, clientUrl, pacedBody, type Services } from "../services.ts";
import { uploadPorts } from "../upload_ports.ts";
import { logCommitted, logStaged } from "../log_upload.ts";
import { refuseOtherUser, stageToken } from "../upload_token.ts";

/** Step 1 of two, or all of it as multipart. */
export async function takeUpload(services: Services, request: Request): Promise<Response> {
  return isMultipart(request.headers)
    ? await takeMultipart(services, request)
    : await planUpload(services, request);
}

async function planUpload(services: Services, request: Request): Promise<Response> {
  const { env } = services;
  const direct = new URL(request.url).searchParams.get("direct") === "1";
  const again = wantsBack(request);
  const caller = await services.auth.userOrService(request);
  const fields = await readJson(request, uploadFieldsSchema, bodyLimits(env));
  const upload = uploadRequestOf(fields);
  await checkSize(services, upload.size, { direct, signal: request.signal });
  const userId = actingUser(caller, fields.user_id);
  if (direct) return await planDirect(services, request, userId, upload);

  const ttlSeconds = env.SEDIMENT_UPLOAD_TTL_SECONDS;
  const { staged, firstAnswer } = await stageUpload(services, userId, upload, {
    ttlSeconds,
    again,
    ownDataset: takesOwn(request, upload),
  });
  logStaged(services, request, userId, staged);
  const expiresAt = new Date(services.now().getTime() + ttlSeconds * 1000);
  const token = services.tokens.sign("upload", packStage(staged), expiresAt);
  return Response.json({
    uploadUrl: `${baseUrl(services, request)}/battle-data/upload/${staged.stageId}?token=${token}`,
    token,
    expiresAt: expiresAt.toISOString(),
    duplicate: staged.duplicate,
    dataset_id: staged.request.datasetId,
    ...(firstAnswer === null ? {} : { stored: withRunIds(firstAnswer) }),
  });
}

/** Larger files go to the store themselves, by a URL that it signed. */
async function planDirect(
  services: Services,
  request: Request,
  userId: string,
  upload: UploadRequest,
): Promise<Response> {
  if (upload.slices.some(({ format }) => format === "avro")) {
    throw new SedimentError(
      "unsupported_avro",
      "Avro is converted on its way through the service",
      {
        field: "format",
        expected: "Parquet, or an upload without direct=1",
      },
    );
  }
  const ttlSeconds = services.env.SEDIMENT_DIRECT_TTL_SECONDS;
  const { staged, incomingKey, firstAnswer } = await stageUpload(services, userId, upload, {
    ttlSeconds,
    direct: true,
    again: wantsBack(request),
    ownDataset: takesOwn(request, upload),
  });
  logStaged(services, request, userId, staged);
  const { url, expiresAt } = await services.store.signUpload(incomingKey!, {
    size: upload.size,
  });
  const completeUntil = new Date(services.now().getTime() + ttlSeconds * 1000);
  return Response.json({
    uploadUrl: clientUrl(services, request, url),
    method: "PUT",
    expiresAt: new Date(Math.min(expiresAt.getTime(), completeUntil.getTime())).toISOString(),
    completeUrl: `${baseUrl(services, request)}/battle-data/upload/${staged.stageId}/complete`,
    duplicate: staged.duplicate,
    dataset_id: staged.request.datasetId,
    ...(firstAnswer === null ? {} : { stored: withRunIds(firstAnswer) }),
  });
}

/** Whether the client says that these bytes, should they have been deleted, are wanted back. */
function wantsBack(request: Request): boolean {
  return new URL(request.url).searchParams.get("again") === "1";
}

/**
 * Whether a dataset of the client's own is to take the place of another user's. A client that says so; and those that
 * name datasets by a SHA-256 of the installation, on which a second account may sign in: to them a 403 is a failure of
 * their sign-in, and what they keep for it would be lost with their last attempt.
 */
function takesOwn(request: Request, { datasetId }: UploadRequest): boolean {
  return new URL(request.url).searchParams.get("own_dataset") === "1" || isOfDigest(datasetId);
}

/** Step 2: raw bytes to an uploadUrl. */
export async function takeBytes(
  services: Services,
  request: Request,
  stageId: string,
): Promise<Response> {
  const staged = unpackStage(stageToken(services, request, "upload", packedStageSchema, stageId));
  refuseOtherUser(request, staged.userId);
  await services.shares.admit(staged.userId, request.signal);
  const timing = createServerTiming();
  const limits = { ...pacedBody(services, staged.userId), exactBytes: staged.request.size };
  const body = await timing.measure("read", () => readBody(request, limits));
  const ports = uploadPorts(services, timing);
  const stored = await receiveUpload(ports, staged, body, request.signal);
  logCommitted(services, request, staged.userId, stored);
  return uploadAnswer(stored, timing);
}

async function takeMultipart(services: Services, request: Request): Promise<Response> {
  const { env } = services;
  const timing = createServerTiming();
  const caller = await timing.measure("auth", () => services.auth.userOrService(request));
  const form = await timing.measure("read", () => readMultipart(request, bodyOf(services, caller)));
  const metadata = await form.text("metadata");
  if (metadata === undefined) {
    throw new SedimentError("invalid_multipart", 'The part "metadata" is missing', {
      field: "metadata",
      expected: 'a part named "metadata" that holds JSON',
    });
  }
  const fields = validate(
    multipartFieldsSchema,
    parseJson(new TextEncoder().encode(metadata), "metadata"),
  );
  const file = await form.bytes("file");
  const bodyHash = sha256(file);
  const upload = uploadRequestOf({
    ...fields,
    file_size: fields.file_size ?? file.byteLength,
    content_hash: fields.content_hash ?? bodyHash,
  });
  const userId = actingUser(caller, fields.user_id);
  const stored = await uploadAtOnce(uploadPorts(services, timing), userId, upload, file, {
    ttlSeconds: env.SEDIMENT_UPLOAD_TTL_SECONDS,
    idempotencyKey: idempotencyKeyOf(request.headers),
    bodyHash,
    again: wantsBack(request),
    ownDataset: takesOwn(request, upload),
  }, request.signal);
  logCommitted(services, request, userId, stored);
  return uploadAnswer(stored, timing);
}

/** The 200 of a stored upload. */
export function uploadAnswer(stored: UploadAnswer, timing?: ServerTiming): Response {
  const headers = timing === undefined ? undefined : { "server-timing": timing.toString() };
  return Response.json({ ok: true, ...withRunIds(stored) }, { headers });
}
