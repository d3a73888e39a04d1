/**
 * A stand-in for Supabase's Storage API over a folder: the endpoints that supabase-js and Sediment use, with
 * the real one's answers and errors, held to it by `tests/conformance/storage_api.ts`. Not in it: storage
 * policies (only service_role sees private buckets), rows in `storage.objects`, image transformation, the S3
 * protocol, webhooks.
 */
import { Hono } from "hono";
import type { Sql } from "postgres";

import { addBucketRoutes } from "./bucket_routes.ts";
import { type BucketTable, createBucketTable } from "./buckets.ts";
import type { Caller, Parts } from "./context.ts";
import { addCopyRoutes } from "./copy_routes.ts";
import { StorageApiError } from "./errors.ts";
import { addListRoutes } from "./list_routes.ts";
import { drain } from "./incoming_body.ts";
import { ObjectFolder } from "./object_folder.ts";
import { addObjectRoutes } from "./object_routes.ts";
import { addResumableRoutes } from "./resumable_routes.ts";
import { addSignedRoutes } from "./signed_routes.ts";
import { TokenSigner } from "./signed_token.ts";

export type { Caller } from "./context.ts";

/** What a stand-in needs. */
export interface StorageStandInOptions {
  /** The folder; made when it isn't there. One process at a time. */
  root: string;
  /** A connection to the database whose `storage.buckets` holds the buckets. */
  sql?: Sql;
  /** Another place for buckets, instead of `sql`. */
  buckets?: BucketTable;
  /** Who sent a request; null when it carries no valid key or token. */
  authorize: (request: Request) => Promise<Caller | null> | Caller | null;
  /** Signs the tokens in signed URLs; must survive a restart. */
  signingSecret: string;
  /** Base URL of the API as clients see it, such as `http://127.0.0.1:54321/storage/v1`. */
  publicUrl: string | (() => string);
  /** The most bytes of an object. @default 52428800, that of the free plan and the CLI */
  maxObjectBytes?: number;
  /** Seconds that a signed upload URL lives. @default 7200, as hosted */
  signedUploadSeconds?: number;
}

/** Makes a stand-in; `fetch` takes paths with or without `/storage/v1` before them. */
export function createStorageStandIn(
  options: StorageStandInOptions,
): { fetch(request: Request): Promise<Response> } {
  const buckets = options.buckets ?? (options.sql && createBucketTable(options.sql));
  if (!buckets) throw new TypeError("the Storage stand-in needs `sql` or `buckets`");
  const parts: Parts = {
    folder: new ObjectFolder(options.root),
    buckets,
    signer: new TokenSigner(options.signingSecret),
    maxObjectBytes: options.maxObjectBytes ?? 50 * 1024 * 1024,
    signedUploadSeconds: options.signedUploadSeconds ?? 7200,
    publicUrl: () => {
      const url = options.publicUrl;
      return (typeof url === "function" ? url() : url).replace(/\/+$/, "");
    },
    authorize: options.authorize,
  };
  const app = new Hono({ getPath: (request) => pathWithin(request.url) });
  app.get("/status", (c) => c.body(null, 200));
  addBucketRoutes(app, parts);
  addListRoutes(app, parts);
  addCopyRoutes(app, parts);
  addSignedRoutes(app, parts);
  addObjectRoutes(app, parts);
  addResumableRoutes(app, parts);
  app.notFound((c) =>
    new StorageApiError("NotFound", `Route ${c.req.method}:${c.req.path} not found`).toResponse()
  );
  app.onError(async (thrown, c) => {
    await drain(c.req.raw);
    if (thrown instanceof StorageApiError) return thrown.toResponse();
    console.error("storage stand-in:", thrown);
    return new StorageApiError("InternalError").toResponse();
  });
  return {
    async fetch(request) {
      await parts.folder.ready();
      return await app.fetch(request);
    },
  };
}

function pathWithin(url: string): string {
  return new URL(url).pathname.replace(/^\/storage\/v1(?=\/)/, "");
}
