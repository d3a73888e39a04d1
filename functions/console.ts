/**
 * `/console`: the console's page, where all functions are one server (Deno Deploy, the embedded Supabase). Hosted edge
 * functions answer no HTML: for those there is `sediment console`.
 */
import * as z from "zod/mini";
import { pageAssets } from "../shared/console/page_assets.ts";
import { pageFile } from "../shared/console/serve_page.ts";
import { SedimentError } from "../shared/errors.ts";
import { IssuedTokens } from "../shared/http/issued_tokens.ts";
import { createHttpApp, type HttpApp, refuseOtherMethods } from "../shared/http/http_app.ts";
import { createRateLimit, type RateLimit } from "../shared/http/rate_limit.ts";
import { readJson } from "../shared/http/read_json.ts";
import { bodyLimits, type Services } from "./services.ts";

/** What opens a session: who one is, or the session before. */
const sessionSchema = z.union([
  z.strictObject({ email: z.string(), password: z.string() }),
  z.strictObject({ refresh_token: z.string() }),
], "email and password, or refresh_token");

const authDeadlineMs = 15_000;

/**
 * What Auth is asked for strangers. It counts by address, and from here all have one: whoever guesses would have the others
 * shut out, and no bound of their own.
 */
interface Strangers {
  /** By the e-mail that is tried. */
  passwords: RateLimit;
  /** Of all, together; who comes back is not kept out by who tries names, or words for tokens. */
  signIns: RateLimit;
  /** Of a session that was opened here. */
  refreshes: RateLimit;
  /** By which such a session is known. */
  issued: IssuedTokens;
}

/** The app of `console`. */
export function createConsoleApp(services: Services): HttpApp {
  const app = createHttpApp("console");
  const strangers: Strangers = {
    passwords: createRateLimit({ name: "passwords", perMinute: 10 }),
    signIns: createRateLimit({ name: "sign_ins", perMinute: 300 }),
    refreshes: createRateLimit({ name: "refreshes", perMinute: 10 }),
    issued: new IssuedTokens(),
  };
  app.get(
    "/serving",
    (c) => c.json({ mode: "direct", project: new URL(services.env.SUPABASE_URL).host }),
  );
  app.post("/session", (c) => openSession(services, strangers, c.req.raw));
  refuseOtherMethods(app, "/serving", ["GET"]);
  refuseOtherMethods(app, "/session", ["POST"]);
  for (const path of ["/", "/:file"]) {
    app.get(path, (c) => {
      const { pathname } = new URL(c.req.url);
      const file = pageFile(
        pageAssets,
        pathname.replace(/^\/functions\/v1/, ""),
        c.req.header("if-none-match") ?? null,
      );
      if (file === undefined) return c.notFound();
      return new Response(file.body as BodyInit | null, {
        status: file.status,
        headers: file.headers,
      });
    });
    refuseOtherMethods(app, path, ["GET"]);
  }
  return app;
}

/** Signs a user in at Auth, or refreshes a session: the page asks nobody but its own server. */
async function openSession(
  { env }: Services,
  { passwords, signIns, refreshes, issued }: Strangers,
  request: Request,
): Promise<Response> {
  const fields = await readJson(request, sessionSchema, bodyLimits(env));
  const grant = "refresh_token" in fields ? "refresh_token" : "password";
  // the longest e-mail has 254 characters: no more is remembered of one
  if ("email" in fields) await passwords.spend(fields.email.trim().toLowerCase().slice(0, 254));
  const before = "refresh_token" in fields ? fields.refresh_token : undefined;
  const session = before === undefined ? undefined : issued.sessionOf(before);
  if (session === undefined) await signIns.spend(grant);
  else await refreshes.spend(session);
  let response: Response;
  try {
    response = await fetch(`${env.SUPABASE_URL}/auth/v1/token?grant_type=${grant}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        apikey: Object.values(env.publishableKeys)[0] ?? env.secretKey,
      },
      body: JSON.stringify(fields),
      signal: AbortSignal.timeout(authDeadlineMs),
    });
  } catch (cause) {
    throw new SedimentError("internal", "Auth does not answer", { cause });
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new SedimentError(
      response.status === 429 ? "rate_limited" : "unauthenticated",
      response.status === 429
        ? "Auth has been asked too often"
        : grant === "password"
        ? "E-mail and password are not those of a user"
        : "The session has ended: sign in again",
      { field: grant, expected: "a user of this project" },
    );
  }
  const { access_token, refresh_token, expires_in } = answer;
  if (typeof refresh_token === "string") {
    issued.issue(refresh_token, session ?? crypto.randomUUID(), before);
  }
  return Response.json({ access_token, refresh_token, expires_in }, {
    headers: { "cache-control": "no-store" },
  });
}
