/** By what S3 credentials a caller's engine reads the bucket. */
import type { StoreAccess } from "../../shared/iceberg/vended_config.ts";
import { tokenExpiry } from "../../shared/storage/token_expiry.ts";
import { type Services, storageUrl } from "../services.ts";
import type { CatalogCaller } from "./caller.ts";

/**
 * Of a service the key that the operator has named for it. Of a user, on Supabase Storage, their own session: row security
 * holds for it, so that it reads what they may read. Another store can't scope a key to a user: they get none.
 */
export function storeAccess(
  services: Services,
  request: Request,
  { user, token }: CatalogCaller,
): StoreAccess {
  const { env } = services;
  const isSupabase = env.SEDIMENT_STORE === "supabase";
  const place = {
    endpoint: env.SEDIMENT_LAKE_S3_ENDPOINT ??
      (isSupabase ? `${storageUrl(services, request)}/s3` : env.SEDIMENT_S3_ENDPOINT ?? ""),
    region: env.SEDIMENT_LAKE_S3_REGION ??
      (isSupabase ? "us-east-1" : env.SEDIMENT_S3_REGION),
  };
  const sessionKey = env.SEDIMENT_LAKE_SESSION_KEY ?? env.publishableKeys.default;
  if (token !== null && isSupabase && sessionKey !== undefined) {
    return {
      ...place,
      key: {
        id: env.SEDIMENT_LAKE_PROJECT_REF ?? projectRef(env.SUPABASE_URL),
        secret: sessionKey,
        sessionToken: token,
        expiresAt: tokenExpiry(token),
      },
    };
  }
  const { SEDIMENT_LAKE_S3_ACCESS_KEY_ID: id, SEDIMENT_LAKE_S3_SECRET_ACCESS_KEY: secret } = env;
  if (user !== null || id === undefined || secret === undefined) return place;
  const expiresAt = new Date(services.now().getTime() + 3600_000);
  return { ...place, key: { id, secret, expiresAt } };
}

/** The first label of a hosted project's host. */
function projectRef(supabaseUrl: string): string {
  return new URL(supabaseUrl).hostname.split(".")[0];
}
