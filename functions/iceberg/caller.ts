/** Who asks the catalog. */
import { bearerToken, readingUser } from "../../shared/http/authenticate.ts";
import { sameSecret } from "../../shared/http/same_secret.ts";
import type { Services } from "../services.ts";

/** Who asks, and for whose tables. */
export interface CatalogCaller {
  /** Null: a service, for nobody in particular. */
  user: string | null;
  /** The access token of a user that asks. */
  token: string | null;
}

/**
 * Iceberg's clients have one place for a credential, the bearer token, so a secret key is taken there too.
 *
 * @throws SedimentError as `userOrService` does
 */
export async function catalogCaller(
  services: Services,
  request: Request,
): Promise<CatalogCaller> {
  const caller = await services.auth.userOrService(withKey(services, request));
  return {
    user: readingUser(caller),
    token: caller.kind === "user" ? bearerToken(request.headers) : null,
  };
}

/** The request with a secret key where the other functions expect it. */
function withKey({ env }: Services, request: Request): Request {
  const token = bearerToken(request.headers);
  if (token === null || !isSecretKey(env.secretKeys, token)) return request;
  const headers = new Headers(request.headers);
  headers.set("apikey", token);
  headers.delete("authorization");
  return new Request(request.url, { method: request.method, headers, signal: request.signal });
}

/** Whether a text is one of the project's secret keys. */
export function isSecretKey(keys: Record<string, string>, text: string): boolean {
  return Object.values(keys).some((key) => sameSecret(text, key));
}
