/** The one port of the embedded Supabase: keys and tokens are resolved here, then the services answer. */
import type { StackKeys } from "../state/keys.ts";
import { preflight, withCors } from "./cors.ts";
import { resolveCredentials } from "./credentials.ts";
import { forwardedHeaders, proxy } from "./proxy.ts";
import type { Tokens } from "./tokens.ts";

/** Something that answers requests in this process. */
export interface Service {
  fetch(request: Request): Response | Promise<Response>;
  /** Lets go of what it holds. */
  close?(): Promise<void> | void;
}

export interface Services {
  /** Where PostgREST listens. */
  restUrl: string;
  /** Takes and gives outside tokens; paths as `/auth/v1/…`. */
  auth: Service;
  /** Paths without `/storage/v1`; Authorization is an inside token or absent. */
  storage: Service;
  /** Paths as `/functions/v1/NAME/…`; headers as the client sent them. */
  functions: Service;
}

/** The handler of the gateway. */
export function createGateway(
  { keys, tokens, services }: { keys: StackKeys; tokens: Tokens; services: Services },
): (request: Request) => Promise<Response> {
  return async (request) => {
    const url = new URL(request.url);
    const [, service, version] = url.pathname.split("/");
    if (version !== "v1") return notFound(url.pathname);
    const rest = url.pathname.slice(`/${service}/v1`.length) || "/";

    // Functions answer for themselves: keys, CORS, everything (verify_jwt = false).
    if (service === "functions") return await services.functions.fetch(request);
    if (request.method === "OPTIONS") return preflight(request);

    if (service === "auth") return withCors(await services.auth.fetch(request));

    if (service === "rest") {
      const who = await resolveCredentials(request, keys, tokens, true);
      if (who.kind === "refused") return withCors(who.response);
      url.searchParams.delete("apikey");
      return withCors(
        await proxy(request, services.restUrl + rest + url.search, who.authorization),
      );
    }

    if (service === "storage") {
      const who = await resolveCredentials(request, keys, tokens, false);
      if (who.kind === "refused") return withCors(who.response);
      const inner = new Request(new URL(rest + url.search, url.origin), {
        method: request.method,
        headers: storageHeaders(request.headers, who.authorization),
        body: request.body,
      });
      return withCors(await services.storage.fetch(inner));
    }
    return notFound(url.pathname);
  };
}

/** In this process the length is still true, and an upload's limit is checked against it first. */
function storageHeaders(from: Headers, authorization: string | undefined): Headers {
  const headers = forwardedHeaders(from, authorization);
  const length = from.get("content-length");
  if (length !== null) headers.set("content-length", length);
  return headers;
}

function notFound(path: string): Response {
  return Response.json({
    message: `no service answers ${path}: /rest/v1, /auth/v1, /storage/v1, /functions/v1`,
  }, { status: 404 });
}
