/** `POST /iceberg/v1/oauth/tokens`: OAuth 2 client credentials, for engines that insist on them (RFC 6749 section 4.4). */
import { Buffer } from "node:buffer";
import { SedimentError } from "../../shared/errors.ts";
import { readBody } from "../../shared/http/read_body.ts";
import { openKeySession } from "../../shared/keys/open_session.ts";
import { bodyLimits, type Services } from "../services.ts";
import { isSecretKey } from "./caller.ts";

/** A form of this length holds any key. */
const mostBytes = 16 * 1024;

/**
 * A token for a client's secret: of a read-only key a session, as `POST /battle-data/keys/session` opens it; of a secret key the
 * key itself. Whatever the client's id is.
 */
export async function serveToken(services: Services, request: Request): Promise<Response> {
  const secret = await clientSecret(services, request);
  if (isSecretKey(services.env.secretKeys, secret)) return answer(secret, 3600);
  const { catalog, keyUsers, keyGuard } = services;
  const opened = await openKeySession(
    { catalog, keyUsers, guard: keyGuard, now: services.now() },
    secret,
  );
  return answer(opened.accessToken, opened.expiresIn);
}

/**
 * Whoever has a client's secret may have a token by it, whatever else they send: also in exchange for one that has ended, as the
 * Java clients ask for it.
 */
const grantTypes = [
  "client_credentials",
  "urn:ietf:params:oauth:grant-type:token-exchange",
];

/** In the form, or as the password of `Authorization: Basic`. */
async function clientSecret({ env }: Services, request: Request): Promise<string> {
  const bytes = await readBody(request, { ...bodyLimits(env), maxBytes: mostBytes });
  const form = new URLSearchParams(new TextDecoder().decode(bytes));
  const grantType = form.get("grant_type") ?? "client_credentials";
  if (!grantTypes.includes(grantType)) {
    throw new SedimentError("invalid_request", "Tokens are given for client credentials alone", {
      field: "grant_type",
      expected: "client_credentials",
    });
  }
  const basic = /^basic +(\S+)\s*$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  const pair = basic === undefined ? "" : Buffer.from(basic, "base64").toString();
  const secret = form.get("client_secret") ?? pair.slice(pair.indexOf(":") + 1);
  if (secret !== "") return secret;
  throw new SedimentError("invalid_request", "No client secret was sent", {
    field: "client_secret",
    expected: "a read-only key, or a secret key",
  });
}

function answer(token: string, expiresIn: number): Response {
  return Response.json({
    access_token: token,
    token_type: "bearer",
    expires_in: expiresIn,
    issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
  }, { headers: { "cache-control": "no-store" } });
}
