/** Auth from @supabase/lite over the embedded database, with tokens re-signed as hosted signs them. */
import type postgres from "postgres";
import { adminUsers } from "./auth_admin.ts";
import { resolveCredentials } from "./gateway/credentials.ts";
import { forwardedHeaders } from "./gateway/proxy.ts";
import type { Service } from "./gateway/gateway.ts";
import { looksLikeJwt, type Tokens } from "./gateway/tokens.ts";
import type { StackKeys } from "./state/keys.ts";

/** Loaded when it is needed (0.1 to 0.3 s), and never with its telemetry. */
function importLite() {
  Deno.env.set("LITE_TELEMETRY", "0");
  return import("@supabase/lite");
}

/** DDL of the auth tables for PostgreSQL. */
export async function authSchemaSql(): Promise<string> {
  const { getAuthSchemaSql } = await importLite();
  return getAuthSchemaSql();
}

/**
 * @param databaseUrl of the role supabase_auth_admin
 * @param url public URL of the gateway
 * @param sql of a superuser, for what lite lacks
 */
export async function createAuth(
  { databaseUrl, url, sql, keys, tokens }: {
    databaseUrl: string;
    url: string;
    sql: postgres.Sql;
    keys: StackKeys;
    tokens: Tokens;
  },
): Promise<Service> {
  const [{ App }, { createPostgresConnection }] = await Promise.all([
    importLite(),
    import("@supabase/lite/postgres"),
  ]);
  const connection = createPostgresConnection({
    url: databaseUrl,
    postgresOptions: { max: 4, idle_timeout: 20, onnotice: () => {} },
  });
  const app = new App({
    connection,
    auth: {
      enabled: true,
      site_url: url,
      jwt_secret: keys.internalSecret,
      jwt_expiry: 3600,
      publishable_key: keys.publishable,
      secret_key: keys.secret,
      email: { enable_confirmations: false },
    },
  });
  return {
    async fetch(request) {
      const path = new URL(request.url).pathname;
      if (path === "/auth/v1/.well-known/jwks.json") {
        return Response.json(tokens.jwks, { headers: { "cache-control": "max-age=600" } });
      }
      if (path.startsWith("/auth/v1/admin/users")) {
        const who = await resolveCredentials(request, keys, tokens, true);
        return who.kind === "refused" ? who.response : await adminUsers(sql, who.role, request);
      }
      const headers = forwardedHeaders(request.headers, undefined);
      const apikey = request.headers.get("apikey");
      if (apikey) headers.set("apikey", apikey === keys.cron ? keys.secret : apikey);
      const bearer = request.headers.get("authorization")?.match(/^Bearer\s+(\S+)$/i)?.[1];
      if (bearer && looksLikeJwt(bearer)) {
        // A token that isn't ours goes on as it is, to be refused with the words of the auth service.
        const token = await tokens.toInternal(bearer).catch(() => "invalid");
        headers.set("authorization", `Bearer ${token}`);
      }
      const inner = new Request(request.url, {
        method: request.method,
        headers,
        body: request.body,
        redirect: "manual",
      });
      return await resignTokens(await app.fetch(inner), tokens);
    },
    close: () => connection.close(),
  };
}

/** Re-signs `access_token` in a JSON body and in the fragment of a redirect. */
async function resignTokens(response: Response, tokens: Tokens): Promise<Response> {
  const headers = new Headers(response.headers);
  const location = headers.get("location");
  if (location?.includes("access_token=")) {
    const token = location.match(/access_token=([^&]+)/)![1];
    headers.set("location", location.replace(token, await tokens.toUser(token)));
  }
  if (!headers.get("content-type")?.includes("json")) {
    return new Response(response.body, { status: response.status, headers });
  }
  const text = await response.text();
  headers.delete("content-length");
  const body = text ? JSON.parse(text) : undefined;
  if (!body) return new Response(text || null, { status: response.status, headers });
  for (const holder of [body, body.session]) {
    if (typeof holder?.access_token === "string") {
      const { app_metadata, user_metadata } = holder.user ?? {};
      holder.access_token = await tokens.toUser(holder.access_token, {
        ...app_metadata && { app_metadata },
        ...user_metadata && { user_metadata },
      });
    }
  }
  return new Response(JSON.stringify(body), { status: response.status, headers });
}
