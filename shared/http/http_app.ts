/** What every function's HTTP side has in common: request id, CORS, problems, draining, a base path. */
import { type Context, Hono } from "hono";
import { build, buildHeader } from "../build.ts";
import { asSedimentError, SedimentError } from "../errors.ts";
import { addCors, preflight } from "./cors.ts";
import { drain } from "./drain.ts";
import { logProblem, notFound, problemResponse } from "./problem.ts";
import type { RequestSpan } from "../traces/otlp_traces.ts";
import { requestIdHeader, requestIdOf } from "./request_id.ts";

/** Variables that handlers find on the Hono context. */
export interface HttpVariables {
  requestId: string;
}

/** The Hono type of our functions. */
export type HttpApp = Hono<{ Variables: HttpVariables }>;

const prefix = "/functions/v1";

/**
 * An empty app that answers below `/NAME` and below `/functions/v1/NAME`.
 *
 * @param name the function's name, its first path segment; empty: wherever no function answers
 * @param options.answered is told each code of a problem that was answered, before the answer goes
 * @param options.problem makes the answer to a thrown value, by the path from the function's name on. @default problemResponse
 * @param options.traced is told each request that was answered, and not waited for
 */
export function createHttpApp(
  name: string,
  options: {
    answered?(code: string): Promise<void>;
    traced?(span: RequestSpan): void;
    problem?(thrown: unknown, requestId: string, path: string): Response | Promise<Response>;
  } = {},
): HttpApp {
  const { problem = problemResponse } = options;
  const app = new Hono<{ Variables: HttpVariables }>({
    getPath(request) {
      const { pathname } = new URL(request.url);
      return pathname.startsWith(`${prefix}/`) ? pathname.slice(prefix.length) : pathname;
    },
  }).basePath(`/${name}`);

  app.use(async (c, next) => {
    const requestId = requestIdOf(c.req.raw.headers);
    c.set("requestId", requestId);
    const begunAt = Date.now(), begun = performance.now();
    if (c.req.method === "OPTIONS") c.res = preflight();
    else await next();
    if (c.res.status >= 400) await drain(c.req.raw.body);
    // Some responses (redirects, those of fetch) have headers that can't be changed.
    try {
      c.res.headers.set(requestIdHeader, requestId);
    } catch {
      c.res = new Response(c.res.body, c.res);
      c.res.headers.set(requestIdHeader, requestId);
    }
    // a body is what its type says, whatever somebody has put into it
    c.res.headers.set("x-content-type-options", "nosniff");
    c.res.headers.set(buildHeader, build);
    addCors(c.res.headers);
    options.traced?.({
      name,
      method: c.req.method,
      route: routeOf(c),
      status: c.res.status,
      requestId,
      traceparent: c.req.header("traceparent") ?? null,
      begunAt,
      ms: performance.now() - begun,
    });
  });

  app.onError(async (error, c) => {
    const requestId = c.get("requestId") ?? requestIdOf(c.req.raw.headers);
    logProblem(error, requestId);
    await options.answered?.(asSedimentError(error).code);
    return await problem(error, requestId, c.req.path);
  });
  app.notFound(async (c) => {
    const requestId = c.get("requestId") ?? requestIdOf(c.req.raw.headers);
    await options.answered?.("not_found");
    return await problem(notFound(new URL(c.req.url).pathname), requestId, c.req.path);
  });
  return app;
}

/** The route that answers, by the pattern of its path; null where none does. */
function routeOf(c: Context): string | null {
  // what ends in a star stands before the routes
  return c.req.matchedRoutes.findLast(({ path }) => !path.endsWith("*"))?.path ?? null;
}

/** Answers 405 with `Allow` to the methods of a path that it does not list. Add it after the routes. */
export function refuseOtherMethods(app: HttpApp, path: string, allowed: string[]): void {
  app.all(path, (c) => {
    throw new SedimentError("method_not_allowed", `${c.req.method} is not taken here`, {
      field: "method",
      expected: allowed.join(", "),
    });
  });
}
