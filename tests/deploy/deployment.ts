/**
 * A project with its own gateway, to which functions are deployed as bundles that run like isolates: what the platform
 * is to a deployment, as far as this machine can be one.
 */
import { type Stack, type StackOptions, startStack } from "../../supabase/local/stack.ts";
import { type Isolate, startIsolate } from "./start_isolate.ts";

/** A project, and what is deployed to it. */
export interface Deployment extends AsyncDisposable {
  /** The address that clients and the functions know. */
  url: string;
  stack: Stack;
  /** The environment that the platform gives to functions. */
  injected: Record<string, string>;
  /** Starts isolates of bundles in place of those that run. */
  deploy(modules: { name: string; path: string }[], env?: Record<string, string>): Promise<void>;
  /** Answers below `/v1/projects`, which is the platform's own API. */
  management?: (request: Request) => Promise<Response>;
  /** Answers in the functions' place where it gives a Response. */
  intercept?: (name: string, request: Request) => Response | undefined;
}

/** Starts a project without functions. */
export async function startDeployment(options: StackOptions = {}): Promise<Deployment> {
  const stack = await startStack({ ...options, functions: false });
  let isolate: Isolate | undefined;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const url = new URL(request.url);
      if (deployment.management && url.pathname.startsWith("/v1/projects/")) {
        return await deployment.management(request);
      }
      const headers = new Headers(request.headers);
      const pass = async (to: string) => {
        const { method, body } = request;
        try {
          return await fetch(to, { method, headers, body, redirect: "manual" });
        } catch (error) {
          // Isolates are replaced while cron goes on calling.
          return Response.json({ message: String(error) }, { status: 502 });
        }
      };
      const [, name] = /^\/functions\/v1\/([^/]+)/.exec(url.pathname) ?? [];
      if (name === undefined) return await pass(stack.url + url.pathname + url.search);
      const instead = deployment.intercept?.(name, request);
      if (instead !== undefined) return instead;
      if (isolate === undefined) {
        return Response.json({ code: "NOT_FOUND", message: "Requested function was not found" }, {
          status: 404,
        });
      }
      headers.set("x-forwarded-host", url.hostname);
      headers.set("x-forwarded-port", url.port);
      headers.set("x-forwarded-proto", "http");
      return await pass(isolate.url + url.pathname.slice("/functions/v1".length) + url.search);
    },
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  const injected = {
    SUPABASE_URL: url,
    SUPABASE_SECRET_KEYS: stack.functionsEnv.SUPABASE_SECRET_KEYS,
    SUPABASE_PUBLISHABLE_KEYS: stack.functionsEnv.SUPABASE_PUBLISHABLE_KEYS,
    SUPABASE_JWKS: stack.functionsEnv.SUPABASE_JWKS,
  };
  const deployment: Deployment = {
    url,
    stack,
    injected,
    async deploy(modules, env = {}) {
      const next = await startIsolate({
        modules,
        env: { ...injected, ...env },
        edge: true,
        hosts: {},
      });
      await isolate?.[Symbol.asyncDispose]();
      isolate = next;
    },
    async [Symbol.asyncDispose]() {
      // First who asks, then who answers.
      await stack.stop();
      await isolate?.[Symbol.asyncDispose]();
      await server.shutdown();
    },
  };
  return deployment;
}
