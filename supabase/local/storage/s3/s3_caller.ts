/**
 * Who asks by the S3 protocol, as Supabase's "S3 Authentication" has it: the project's keys may do everything; a
 * session is a user's access token, signed with the project's reference and its publishable key, and row-level security
 * holds for it.
 */
import type { Parts } from "../context.ts";
import type { Caller } from "../scope.ts";
import { S3Error } from "./s3_error.ts";
import { checkSignature, claimedSignature } from "./signature.ts";

/** The project's side of the protocol. */
export interface S3Settings {
  /** The project's S3 keys. */
  accessKeyId: string;
  secretAccessKey: string;
  /** What a session signs with: the reference as its access key id, the key as its secret. */
  projectRef: string;
  publishableKey: string;
  region: string;
}

/** The caller, once the signature was checked. Throws S3Error. */
export async function s3Caller(
  parts: Pick<Parts, "authorize">,
  settings: S3Settings,
  request: Request,
): Promise<Caller> {
  const claimed = claimedSignature(request);
  // Supabase takes clients' usual words for "whichever" beside its own region.
  if (![settings.region, "auto", "us-east-1"].includes(claimed.region)) {
    throw new S3Error(
      "AuthorizationHeaderMalformed",
      `The region ${claimed.region} is wrong; expecting ${settings.region}`,
    );
  }
  const { sessionToken } = claimed;
  const isSession = sessionToken !== undefined;
  const known = isSession ? settings.projectRef : settings.accessKeyId;
  if (claimed.accessKeyId !== known) throw new S3Error("InvalidAccessKeyId");
  const secrets = isSession
    ? [settings.publishableKey, settings.projectRef]
    : [settings.secretAccessKey];
  checkSignature(request, claimed, secrets, Date.now());
  if (!isSession) return { role: "service_role" };
  const bearer = new Request(request.url, { headers: { authorization: `Bearer ${sessionToken}` } });
  const caller = await parts.authorize(bearer);
  if (caller === null) throw new S3Error("AccessDenied", "The session token is not a valid JWT");
  return caller;
}
