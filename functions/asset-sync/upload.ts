/** `POST /asset-sync/upload` and the bytes that follow. */
import { SedimentError } from "../../shared/errors.ts";
import { actingUser } from "../../shared/http/authenticate.ts";
import { readBody } from "../../shared/http/read_body.ts";
import { requestIdOf } from "../../shared/http/request_id.ts";
import { readJson } from "../../shared/http/read_json.ts";
import { assetFieldsSchema } from "../../shared/protocol/asset.ts";
import { stageIdSchema } from "../../shared/protocol/upload.ts";
import { assetRequestOf } from "../../shared/uploads/asset_request.ts";
import { completeAsset } from "../../shared/uploads/complete_asset.ts";
import {
  packAsset,
  packedAssetSchema,
  receiveAsset,
  stageAsset,
  unpackAsset,
} from "../../shared/uploads/store_asset.ts";
import { checkSize } from "../check_size.ts";
import { baseUrl, bodyLimits, clientUrl, pacedBody, type Services } from "../services.ts";
import { refuseOtherUser, stageToken } from "../upload_token.ts";

/** Step 1; 409 when the key holds these very bytes. */
export async function planAsset(services: Services, request: Request): Promise<Response> {
  const { env } = services;
  const direct = new URL(request.url).searchParams.get("direct") === "1";
  const caller = await services.auth.userOrService(request);
  const fields = await readJson(request, assetFieldsSchema, bodyLimits(env));
  const asset = assetRequestOf(fields);
  await checkSize(services, asset.size, { direct, signal: request.signal });
  const ttl = direct ? env.SEDIMENT_DIRECT_TTL_SECONDS : env.SEDIMENT_UPLOAD_TTL_SECONDS;
  const userId = actingUser(caller, fields.user_id);
  const staged = await stageAsset(services, userId, asset, ttl, direct);
  const told = { request_id: requestIdOf(request.headers), user_id: userId };
  services.log({ event: "asset_staged", ...told, key: asset.key, size: asset.size });
  const expiresAt = new Date(services.now().getTime() + ttl * 1000);
  if (direct) return await planDirect(services, request, staged, expiresAt);
  const token = services.tokens.sign("asset", packAsset(staged), expiresAt);
  return Response.json({
    uploadUrl: `${baseUrl(services, request)}/asset-sync/upload/${staged.stageId}?token=${token}`,
    token,
    expiresAt: expiresAt.toISOString(),
    replaces: staged.replaces,
  });
}

/** Larger ones go to the store themselves, by a URL that it signed. */
async function planDirect(
  services: Services,
  request: Request,
  { stageId, incomingKey, size, replaces }: Awaited<ReturnType<typeof stageAsset>>,
  completeUntil: Date,
): Promise<Response> {
  const { url, expiresAt } = await services.store.signUpload(incomingKey!, { size });
  const until = Math.min(expiresAt.getTime(), completeUntil.getTime());
  return Response.json({
    uploadUrl: clientUrl(services, request, url),
    method: "PUT",
    expiresAt: new Date(until).toISOString(),
    completeUrl: `${baseUrl(services, request)}/asset-sync/upload/${stageId}/complete`,
    replaces,
  });
}

/** Step 2: raw bytes to an uploadUrl. */
export async function takeAsset(
  services: Services,
  request: Request,
  stageId: string,
): Promise<Response> {
  const staged = unpackAsset(
    stageToken(services, request, "asset", packedAssetSchema, stageId),
  );
  refuseOtherUser(request, staged.userId);
  await services.shares.admit(staged.userId, request.signal);
  const limits = { ...pacedBody(services, staged.userId), exactBytes: staged.size };
  const body = await readBody(request, limits);
  const stored = await receiveAsset(services, staged, body, request.signal);
  return assetAnswer(services, request, staged.userId, stored);
}

/** The end of a direct upload: what was put is checked, and becomes the asset. */
export async function completeDirect(
  services: Services,
  request: Request,
  stageId: string,
): Promise<Response> {
  const userId = actingUser(await services.auth.userOrService(request));
  const isStage = stageIdSchema.safeParse(stageId).success;
  const stored = isStage ? await completeAsset(services, userId, stageId, request.signal) : null;
  if (stored !== null) return assetAnswer(services, request, userId, stored);
  throw new SedimentError("not_found", "There is no direct upload of that id", {
    field: "path",
    expected: "the completeUrl that step 1 gave",
  });
}

function assetAnswer(
  services: Services,
  request: Request,
  userId: string,
  { object_key: _key, ...stored }: Awaited<ReturnType<typeof receiveAsset>>,
): Response {
  services.log({
    event: "asset_committed",
    request_id: requestIdOf(request.headers),
    user_id: userId,
    key: stored.key,
    size: stored.size,
  });
  return Response.json({ ok: true, ...stored });
}
