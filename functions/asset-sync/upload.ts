/** `POST /asset-sync/upload` and the bytes that follow. */
import { SedimentError } from "../../shared/errors.ts";
import { actingUser } from "../../shared/http/authenticate.ts";
import { readBody } from "../../shared/http/read_body.ts";
import { requestIdOf } from "../../shared/http/request_id.ts";
import { readJson } from "../../shared/http/read_json.ts";
import { assetFieldsSchema } from "../../shared/protocol/asset.ts";
import { assetRequestOf } from "../../shared/uploads/asset_request.ts";
import {
  packAsset,
  packedAssetSchema,
  receiveAsset,
  stageAsset,
  unpackAsset,
} from "../../shared/uploads/store_asset.ts";
import { baseUrl, bodyLimits, type Services } from "../services.ts";
import { refuseOtherUser, stageToken } from "../upload_token.ts";

/** Step 1; 409 when the key holds these very bytes. */
export async function planAsset(services: Services, request: Request): Promise<Response> {
  const { env } = services;
  const caller = await services.auth.userOrService(request);
  const fields = await readJson(request, assetFieldsSchema, bodyLimits(env));
  const asset = assetRequestOf(fields);
  if (asset.size > env.SEDIMENT_MAX_BODY_BYTES) {
    throw new SedimentError("body_too_large", `The asset has ${asset.size} bytes`, {
      field: "file_size",
      expected: `at most ${env.SEDIMENT_MAX_BODY_BYTES} bytes`,
      extra: { max_bytes: env.SEDIMENT_MAX_BODY_BYTES },
    });
  }
  const ttl = env.SEDIMENT_UPLOAD_TTL_SECONDS;
  const userId = actingUser(caller, fields.user_id);
  const staged = await stageAsset(services, userId, asset, ttl);
  const told = { request_id: requestIdOf(request.headers), user_id: userId };
  services.log({ event: "asset_staged", ...told, key: asset.key, size: asset.size });
  const expiresAt = new Date(services.now().getTime() + ttl * 1000);
  const token = services.tokens.sign("asset", packAsset(staged), expiresAt);
  return Response.json({
    uploadUrl: `${baseUrl(services, request)}/asset-sync/upload/${staged.stageId}?token=${token}`,
    token,
    expiresAt: expiresAt.toISOString(),
    replaces: staged.replaces,
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
  await services.shares.room(staged.userId, request.signal);
  const limits = { ...bodyLimits(services.env), exactBytes: staged.size };
  const body = await readBody(request, limits);
  const { object_key: _key, ...stored } = await receiveAsset(
    services,
    staged,
    body,
    request.signal,
  );
  services.log({
    event: "asset_committed",
    request_id: requestIdOf(request.headers),
    user_id: staged.userId,
    key: stored.key,
    size: stored.size,
  });
  return Response.json({ ok: true, ...stored });
}
