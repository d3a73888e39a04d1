/**
 * The console of a hosted project: a server on this machine alone, which holds the key and asks the project's functions in
 * the page's stead. Supabase refuses secret keys that browsers send; and a key in a page is one that leaks.
 */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { sameSecret } from "../http/same_secret.ts";
import { startDeadline } from "../reader/bytes/deadline.ts";
import { type PageAssets, pageFile } from "./serve_page.ts";

/** What a proxy needs. */
export interface ProxySettings {
  assets: PageAssets;
  /** Where the project is: the functions are below `/functions/v1`. */
  project: string;
  /** The headers by which the project lets calls in, anew for each. */
  credentials: () => Promise<Record<string, string>>;
  /** How it names itself: not as a browser. */
  userAgent: string;
  /** @default any that is free */
  port?: number;
}

/** A proxy that listens. */
export interface Proxy {
  /** The address to open, with a token that opens one session. */
  url: string;
  close(): Promise<void>;
}

/** Functions that the page asks. */
const reachable = /^\/functions\/v1\/(?:battle-data|compaction)(?:[/?]|$)/;
/** What a press of a button wants of the workers, by POST. */
const pressed = /^\/functions\/v1\/compactor(?:\/vacuum|\/check)?$/;
const methods = ["GET", "POST", "PATCH", "DELETE"];
const mostBody = 1024 * 1024;
/** Of an answer's headers what the page is shown. */
const answerHeaders = [
  "content-type",
  "content-range",
  "etag",
  "cache-control",
  "retry-after",
  "x-request-id",
];
const cookieName = "sediment_console";

/**
 * Starts it on 127.0.0.1. A request is let in by its Host (so that no name of another site leads here), its Origin where it
 * has one (so that no other page asks), and a cookie that the first who brings the address's token gets.
 */
export async function startProxy(settings: ProxySettings): Promise<Proxy> {
  const token = randomBytes(24).toString("base64url");
  const session = randomBytes(24).toString("base64url");
  let opened = false;
  const server = createServer((request, response) => {
    serve(request, response).catch((error) =>
      refuse(response, 502, "server_unreachable", (error as Error).message)
    );
  });
  await listen(server, settings.port ?? 0);
  const { port } = server.address() as AddressInfo;
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { host = "", origin, "sec-fetch-site": site = "none" } = request.headers;
    const method = request.method ?? "";
    if (!hosts.includes(host)) {
      return refuse(response, 421, "forbidden", "This address is not where the console is");
    }
    if (
      origin !== undefined && origin !== `http://${host}` ||
      !["none", "same-origin"].includes(String(site)) || origin === undefined && method !== "GET"
    ) return refuse(response, 403, "forbidden", "Another page asks");
    const path = new URL(request.url ?? "/", `http://${host}`);
    if (path.pathname === "/") {
      response.writeHead(302, { location: "/console" }).end();
      return;
    }
    const file = method === "GET"
      ? pageFile(settings.assets, path.pathname, request.headers["if-none-match"] ?? null)
      : undefined;
    if (file !== undefined) {
      response.writeHead(file.status, file.headers).end(file.body);
      return;
    }
    if (path.pathname === "/console/open" && method === "POST") {
      return await open(request, response);
    }
    const [, cookie = ""] = /(?:^|; )sediment_console=([^;]*)/.exec(request.headers.cookie ?? "") ??
      [];
    if (!opened || !sameSecret(cookie, session)) {
      return refuse(
        response,
        401,
        "unauthenticated",
        "This address has been opened before: start `sediment console` again for another",
      );
    }
    if (path.pathname === "/console/serving") {
      return json(response, 200, { mode: "proxy", project: new URL(settings.project).host });
    }
    const isPress = method === "POST" && pressed.test(path.pathname);
    if (!isPress && !reachable.test(path.pathname) || !methods.includes(method)) {
      return refuse(response, 404, "not_found", "The console asks nothing there");
    }
    await forward(request, response, path);
  }

  async function open(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = JSON.parse(new TextDecoder().decode(await readBody(request)) || "{}");
    if (opened || !sameSecret(String(body.token ?? ""), token)) {
      return refuse(response, 401, "unauthenticated", "The token was used before, or is none");
    }
    opened = true;
    response.setHeader("set-cookie", `${cookieName}=${session}; HttpOnly; SameSite=Strict; Path=/`);
    json(response, 200, { opened: true });
  }

  async function forward(
    request: IncomingMessage,
    response: ServerResponse,
    path: URL,
  ): Promise<void> {
    const body = request.method === "GET" ? undefined : await readBody(request);
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    // for the head of the answer, and then for each piece of it
    const deadline = startDeadline(60_000, path.pathname, gone.signal);
    try {
      const answer = await fetch(settings.project + path.pathname + path.search, {
        method: request.method,
        headers: {
          ...await settings.credentials(),
          "user-agent": settings.userAgent,
          ...passed(request.headers, ["content-type", "if-none-match", "range"]),
        },
        ...(body !== undefined && body.length > 0 && { body: body as BodyInit }),
        redirect: "manual",
        signal: deadline.signal,
      });
      const headers: Record<string, string> = { "x-content-type-options": "nosniff" };
      for (const name of answerHeaders) {
        const value = answer.headers.get(name);
        if (value !== null) headers[name] = value;
      }
      response.writeHead(answer.status, headers);
      for await (const piece of answer.body ?? []) {
        deadline.extend();
        if (!response.write(piece)) await once(response, "drain", { signal: deadline.signal });
      }
      response.end();
    } finally {
      deadline.clear();
    }
  }

  return {
    url: `http://127.0.0.1:${port}/console#token=${token}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Those of a request's headers that have a value. */
function passed(headers: IncomingHttpHeaders, names: string[]): Record<string, string> {
  return Object.fromEntries(
    names.filter((name) => headers[name] !== undefined).map((
      name,
    ) => [name, String(headers[name])]),
  );
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
}

async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > mostBody) throw new Error("the body is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" })
    .end(JSON.stringify(value));
}

function refuse(response: ServerResponse, status: number, code: string, detail: string): void {
  // half of an answer must not look like a whole one
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { "content-type": "application/problem+json" })
    .end(
      JSON.stringify({ type: `urn:sediment:problem:${code}`, title: detail, status, code, detail }),
    );
}
