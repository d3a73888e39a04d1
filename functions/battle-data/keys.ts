/** `/battle-data/datasets/:id/keys` and `POST /battle-data/keys/session`. */
import { readingUser } from "../../shared/http/authenticate.ts";
import { readJson } from "../../shared/http/read_json.ts";
import { createKey as makeKey } from "../../shared/keys/create_key.ts";
import { openKeySession } from "../../shared/keys/open_session.ts";
import type { KeySessionAnswer } from "../../shared/protocol/answers.ts";
import { datasetIdSchema, uuidSchema } from "../../shared/protocol/fields.ts";
import { keySchema, keySessionSchema } from "../../shared/protocol/keys.ts";
import { validate } from "../../shared/protocol/validate.ts";
import type { Services } from "../services.ts";

const uncached = { "cache-control": "no-store" };

/** Makes a key; its secret is in this answer alone. */
export async function createKey(
  services: Services,
  request: Request,
  dataset: string,
): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const { label, expires_in } = await readJson(request, keySchema);
  const key = await makeKey(services, {
    user: readingUser(caller),
    dataset: validate(datasetIdSchema, dataset),
    label,
    ttlSeconds: expires_in,
  });
  return Response.json(key, { status: 201, headers: uncached });
}

/** The keys of a dataset. */
export async function serveKeys(
  services: Services,
  request: Request,
  dataset: string,
): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const keys = await services.catalog.listKeys({
    user: readingUser(caller),
    dataset: validate(datasetIdSchema, dataset),
  });
  return Response.json(keys, { headers: uncached });
}

/** Ends a key. */
export async function revokeKey(
  services: Services,
  request: Request,
  path: { dataset: string; key: string },
): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const revoked = await services.catalog.revokeKey({
    user: readingUser(caller),
    dataset: validate(datasetIdSchema, path.dataset),
    key: validate(uuidSchema, path.key),
  });
  return Response.json(revoked, { headers: uncached });
}

/** A session for a key's secret, which is all that the caller shows. */
export async function openSession(services: Services, request: Request): Promise<Response> {
  const { secret } = await readJson(request, keySessionSchema);
  const { catalog, keyUsers, keyGuard } = services;
  const opened = await openKeySession(
    { catalog, keyUsers, guard: keyGuard, now: services.now() },
    secret,
  );
  const answer: KeySessionAnswer = {
    access_token: opened.accessToken,
    token_type: "bearer",
    expires_in: opened.expiresIn,
    dataset_id: opened.dataset,
    key_expires_at: opened.keyExpiresAt,
  };
  return Response.json(answer, { headers: uncached });
}
