/** By what an engine of a caller's reads the bucket: S3 credentials, or signatures. */
import type { StoreAccess } from "../../shared/iceberg/vended_config.ts";
import { tokenExpiry } from "../../shared/storage/token_expiry.ts";
import { baseUrl, type Services, storageUrl } from "../services.ts";
import type { CatalogCaller } from "./caller.ts";

/**
 * Of a service the key that the operator has named for it. Of a user, on Supabase Storage, their own session: row security
 * holds for it, so that it reads what they may read. Another store can't scope a key to a user: it has each request signed.
 */
export function storeAccess(
  services: Services,
  request: Request,
  { user, token }: CatalogCaller,
  { namespace, table }: { namespace: string; table: string },
): StoreAccess {
  const { env } = services;
  const place: StoreAccess = storePlace(services, request);
  if (signingKey(services) !== null) {
    place.signer = {
      uri: `${baseUrl(services, request)}/iceberg`,
      endpoint: `v1/namespaces/${namespace}/tables/${table}/sign`,
    };
  }
  const sessionKey = env.SEDIMENT_LAKE_SESSION_KEY ?? env.publishableKeys.default;
  if (token !== null && env.SEDIMENT_STORE === "supabase" && sessionKey !== undefined) {
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
  const key = lakeKey(services);
  if (user !== null || key === null) return place;
  return { ...place, key: { ...key, expiresAt: new Date(services.now().getTime() + 3600_000) } };
}

/** Where engines find the store's S3 protocol. */
export function storePlace(
  services: Services,
  request: Request,
): { endpoint: string; region: string } {
  const { env } = services;
  const isSupabase = env.SEDIMENT_STORE === "supabase";
  return {
    endpoint: env.SEDIMENT_LAKE_S3_ENDPOINT ??
      (isSupabase ? `${storageUrl(services, request)}/s3` : env.SEDIMENT_S3_ENDPOINT ?? ""),
    region: env.SEDIMENT_LAKE_S3_REGION ?? (isSupabase ? "us-east-1" : env.SEDIMENT_S3_REGION),
  };
}

/** The key that requests are signed with: the one that can only read, where there is one. Null: the store gives users their own. */
export function signingKey(services: Services): { id: string; secret: string } | null {
  const { env } = services;
  if (env.SEDIMENT_STORE === "supabase") return null;
  const { SEDIMENT_S3_ACCESS_KEY_ID: id, SEDIMENT_S3_SECRET_ACCESS_KEY: secret } = env;
  return lakeKey(services) ??
    (id === undefined || secret === undefined ? null : { id, secret });
}

function lakeKey({ env }: Services): { id: string; secret: string } | null {
  const { SEDIMENT_LAKE_S3_ACCESS_KEY_ID: id, SEDIMENT_LAKE_S3_SECRET_ACCESS_KEY: secret } = env;
  return id === undefined || secret === undefined ? null : { id, secret };
}

/** The first label of a hosted project's host. */
function projectRef(supabaseUrl: string): string {
  return new URL(supabaseUrl).hostname.split(".")[0];
}
