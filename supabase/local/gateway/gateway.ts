/** The one port of the embedded Supabase: keys and tokens are resolved here, then the services answer. */
import type { StackKeys } from "../state/keys.ts";
import { preflight, withCors } from "./cors.ts";
import { resolveCredentials } from "./credentials.ts";
import { proxy } from "./proxy.ts";
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
  /** Resolves keys and tokens itself: signed URLs come without. */
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
    // beside the API, as on Deno Deploy
    if (service === "console") return await services.functions.fetch(ownRequest(request));
    if (version !== "v1") return notFound(url.pathname);
    const rest = url.pathname.slice(`/${service}/v1`.length) || "/";

    // Functions answer for themselves: keys, CORS, everything (verify_jwt = false).
    if (service === "functions") return await services.functions.fetch(ownRequest(request));
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
      return withCors(await services.storage.fetch(ownRequest(request)));
    }
    return notFound(url.pathname);
  };
}

/**
 * The request with a signal of its own, which never fires: that of Deno's warns, once and on stderr, when an app asks
 * for it, as Hono apps do. The request itself and not a copy, whose body would be read chunk by chunk.
 */
function ownRequest(request: Request): Request {
  let signal: AbortSignal | undefined;
  return Object.defineProperty(request, "signal", {
    get: () => signal ??= new AbortController().signal,
  });
}

function notFound(path: string): Response {
  return Response.json({
    message: `no service answers ${path}: /rest/v1, /auth/v1, /storage/v1, /functions/v1`,
  }, { status: 404 });
}
