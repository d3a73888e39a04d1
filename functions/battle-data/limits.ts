/** `GET /battle-data/limits`: how large an upload may be, for clients that ask before they copy one. */
import type * as z from "zod";
import type { uploadLimitsSchema } from "../../shared/protocol/answers.ts";
import type { Services } from "../services.ts";

/** The limits; the same for all, and changed by a deploy only. */
export function serveLimits({ env }: Services): Response {
  const limits: z.output<typeof uploadLimitsSchema> = {
    max_body_bytes: env.SEDIMENT_MAX_BODY_BYTES,
    max_direct_bytes: env.SEDIMENT_MAX_DIRECT_BYTES,
  };
  return Response.json(limits, { headers: { "cache-control": "max-age=3600" } });
}
