/** The tokens of uploadUrls. */
import type * as z from "zod";
import { SedimentError } from "../shared/errors.ts";
import { bearerToken } from "../shared/http/authenticate.ts";
import type { TokenPurpose } from "../shared/http/signed_token.ts";
import type { Services } from "./services.ts";

/**
 * What an upload's token carries; its first element is the stage's id, which is in the path too. It comes in the
 * uploadUrl, or as `X-Upload-Token` from clients that put it there themselves.
 *
 * @throws SedimentError `token_invalid`, `token_expired`
 */
export function stageToken<T extends [string, ...unknown[]]>(
  services: Services,
  request: Request,
  purpose: TokenPurpose,
  schema: z.ZodType<T>,
  stageId: string,
): T {
  const token = new URL(request.url).searchParams.get("token") ??
    request.headers.get("x-upload-token") ?? "";
  const packed = services.tokens.open(purpose, token, schema, services.now());
  if (packed[0] === stageId) return packed;
  throw new SedimentError("token_invalid", "The token is for another upload", {
    field: "token",
    expected: "the uploadUrl as step 1 gave it",
  });
}

/**
 * The token alone opens the upload, as clients in the field send nothing else. One that does send a user's
 * token must not send another user's; its signature needs no look, since it can only refuse.
 */
export function refuseOtherUser(request: Request, userId: string): void {
  const [, payload] = bearerToken(request.headers)?.split(".") ?? [];
  if (payload === undefined) return;
  let subject: unknown;
  try {
    subject = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))).sub;
  } catch {
    return;
  }
  if (typeof subject === "string" && subject !== userId) {
    throw new SedimentError("forbidden", "The upload was planned for another user", {
      field: "authorization",
      expected: "the user that asked for this uploadUrl",
    });
  }
}
