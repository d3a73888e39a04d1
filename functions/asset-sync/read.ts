/** What assets a user has: `GET /asset-sync/keys`, `/check-hash` and `/url`. */
import { asSedimentError } from "../../shared/errors.ts";
import { actingUser } from "../../shared/http/authenticate.ts";
import { validate } from "../../shared/protocol/validate.ts";
import {
  assetHashQuerySchema,
  assetListQuerySchema,
  assetUrlQuerySchema,
  maxUnpagedKeys,
} from "../../shared/protocol/asset.ts";
import { queryOf } from "../../shared/http/query_of.ts";
import { clientUrl, type Services } from "../services.ts";

const uncached = { headers: { "cache-control": "no-store" } };

/** What a call of the catalog lists. */
const keysOfCall = 5000;

/** The user's assets, in key order: a page of `limit`, or as many as go into one answer. */
export async function serveKeys(services: Services, request: Request): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const query = validate(assetListQuerySchema, queryOf(request));
  const user = actingUser(caller);
  const list = (limit: number, cursor: string | null) =>
    services.catalog.listAssets({ user, prefix: query.prefix ?? null, limit, cursor });
  const page = await list(query.limit ?? keysOfCall, query.cursor ?? null);
  while (
    query.limit === undefined && page.next_cursor !== null && page.assets.length < maxUnpagedKeys
  ) {
    const { assets, next_cursor } = await list(keysOfCall, page.next_cursor);
    page.assets.push(...assets);
    page.next_cursor = next_cursor;
  }
  return Response.json({ ...page, keys: page.assets.map(({ key }) => key) }, uncached);
}

/** Whether a key is there, and whether it holds the bytes of that hash. */
export async function checkHash(services: Services, request: Request): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const { key, content_hash } = validate(assetHashQuerySchema, queryOf(request));
  const asset = await services.catalog.getAsset({ user: actingUser(caller), key })
    .catch((thrown) => {
      const error = asSedimentError(thrown);
      if (error.code === "not_found") return null;
      throw error;
    });
  return Response.json({
    key,
    exists: asset !== null,
    // what the store has lost is to be sent again
    matches: asset?.content_hash === content_hash && asset.missed !== true,
    content_hash: asset?.content_hash ?? null,
  }, uncached);
}

/** A signed URL of an asset's bytes. */
export async function serveUrl(services: Services, request: Request): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const { key } = validate(assetUrlQuerySchema, queryOf(request));
  const { object_key, missed: _missed, signed_url_seconds: seconds, ...asset } = await services
    .catalog.getAsset({
      user: actingUser(caller),
      key,
    });
  const url = await services.store.signDownload(object_key, seconds);
  return Response.json({
    ...asset,
    url: clientUrl(services, request, url),
    url_expires_at: new Date(services.now().getTime() + seconds * 1000).toISOString(),
  }, uncached);
}
