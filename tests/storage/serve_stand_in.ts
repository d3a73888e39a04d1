/** The Storage stand-in alone on a free port, over a temporary folder and a given database, with a key for each role. */
import {
  openStorageStandIn,
  type StorageStandInOptions,
} from "../../supabase/local/storage/server.ts";

export const secretKey = "sb_secret_test";
export const publishableKey = "sb_publishable_test";

/** A running stand-in. */
export interface ServedStandIn {
  /** Without `/storage/v1`. */
  url: string;
  root: string;
  close(): Promise<void>;
}

/**
 * Serves a stand-in; `close` stops it and removes the folder. What follows `user-` in a key is the id of a user, who
 * is authenticated.
 */
export async function serveStandIn(
  options: Partial<StorageStandInOptions> & { databaseUrl: string },
): Promise<ServedStandIn> {
  const root = options.root ?? await Deno.makeTempDir({ prefix: "sediment-storage-" });
  let url = "";
  const standIn = await openStorageStandIn({
    root,
    authorize(request) {
      const key = request.headers.get("apikey") ??
        request.headers.get("authorization")?.replace(/^Bearer /, "");
      if (key === secretKey) return { role: "service_role" };
      if (key?.startsWith("user-")) return { role: "authenticated", sub: key.slice(5) };
      return key === publishableKey ? { role: "anon" } : null;
    },
    signingSecret: "a secret of the tests that is long enough",
    publicUrl: () => url + "/storage/v1",
    ...options,
  });
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => standIn.fetch(request),
  );
  url = `http://127.0.0.1:${server.addr.port}`;
  return {
    url,
    root,
    async close() {
      await server.shutdown();
      await standIn.close();
      await Deno.remove(root, { recursive: true });
    },
  };
}
