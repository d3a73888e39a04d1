/** The Storage stand-in alone on a free port over a temporary folder, with two keys and no database. */
import { createMemoryBucketTable } from "../../supabase/local/storage/buckets.ts";
import {
  createStorageStandIn,
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

/** Serves a stand-in with one private bucket `sediment`; `close` stops it and removes the folder. */
export async function serveStandIn(
  options: Partial<StorageStandInOptions> = {},
): Promise<ServedStandIn> {
  const root = options.root ?? await Deno.makeTempDir({ prefix: "sediment-storage-" });
  const buckets = createMemoryBucketTable();
  await buckets.insert({
    id: "sediment",
    name: "sediment",
    public: false,
    file_size_limit: null,
    allowed_mime_types: null,
  });
  let url = "";
  const standIn = createStorageStandIn({
    root,
    buckets,
    authorize(request) {
      const key = request.headers.get("apikey") ??
        request.headers.get("authorization")?.replace(/^Bearer /, "");
      if (key === secretKey) return { role: "service_role" };
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
      await Deno.remove(root, { recursive: true });
    },
  };
}
