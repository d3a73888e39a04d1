/** `GET /battle-data/limits`: how large an upload may be, for clients that ask before they copy one. */
import type * as z from "zod";
import type { uploadLimitsSchema } from "../../shared/protocol/answers.ts";
import type { Services } from "../services.ts";

/** The limits; the same for all, and hardly ever changed. */
export async function serveLimits(
  { env, objectLimit }: Services,
  request: Request,
): Promise<Response> {
  // a catalog that does not answer is no reason to say nothing
  const maxBytes = await objectLimit(request.signal).catch(() => Infinity);
  const maxAsset = await objectLimit.ofAssets?.(request.signal).catch(() => Infinity) ?? Infinity;
  const maxDirect = Math.min(env.SEDIMENT_MAX_DIRECT_BYTES, maxBytes);
  const limits: z.output<typeof uploadLimitsSchema> = {
    max_body_bytes: Math.min(env.SEDIMENT_MAX_BODY_BYTES, maxBytes),
    max_direct_bytes: maxDirect,
    max_asset_bytes: Math.min(maxDirect, maxAsset),
  };
  return Response.json(limits, { headers: { "cache-control": "max-age=3600" } });
}
