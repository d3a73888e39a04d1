/**
 * A stand-in for Supabase's Storage API: the endpoints that supabase-js and Sediment use, with the real one's answers
 * and errors, held to it by `tests/conformance/storage_api.ts`. As there, an object is a row of `storage.objects`,
 * whose policies decide who may do what with it, and bytes, which lie in a folder. Not in it: image transformation,
 * the writing half of the S3 protocol, webhooks.
 */
import { Hono } from "hono";

import { addBucketRoutes } from "./bucket_routes.ts";
import { BucketTable } from "./buckets.ts";
import type { Parts } from "./context.ts";
import type { Caller } from "./scope.ts";
import { addCopyRoutes } from "./copy_routes.ts";
import { connectStorage, prepareDatabase } from "./database.ts";
import { StorageApiError } from "./errors.ts";
import { drain } from "./incoming_body.ts";
import { addListRoutes } from "./list_routes.ts";
import { addObjectRoutes } from "./object_routes.ts";
import { ObjectTable } from "./object_table.ts";
import { addResumableRoutes } from "./resumable_routes.ts";
import type { S3Settings } from "./s3/s3_caller.ts";
import { addS3Routes } from "./s3/s3_routes.ts";
import { addSignedRoutes } from "./signed_routes.ts";
import { TokenSigner } from "./signed_token.ts";
import { StoredObjects } from "./stored_objects.ts";
import { VersionFolder } from "./version_folder.ts";

/** What a stand-in needs. */
export interface StorageStandInOptions {
  /** The folder of the bytes; made when it isn't there. One process at a time. */
  root: string;
  /** The database that holds the schema `storage`, as the role supabase_storage_admin. */
  databaseUrl: string;
  /** Who sent a request; null when it carries no valid key or token. */
  authorize: (request: Request) => Promise<Caller | null> | Caller | null;
  /** Signs the tokens in signed URLs; must survive a restart. */
  signingSecret: string;
  /** Who may read by the S3 protocol; without it there is none. */
  s3?: S3Settings;
  /** Base URL of the API as clients see it, such as `http://127.0.0.1:54321/storage/v1`. */
  publicUrl: string | (() => string);
  /** The most bytes of an object. @default 52428800, that of the free plan and the CLI */
  maxObjectBytes?: number;
  /** Seconds that a signed upload URL lives. @default 7200, as hosted */
  signedUploadSeconds?: number;
  /**
   * What the real API would keep its bytes in: past the end of an object S3's refusal is its 500, that of files 416.
   * @default s3, as hosted
   */
  backend?: "s3" | "file";
}

/** A stand-in that serves; `fetch` takes paths with or without `/storage/v1` before them. */
export interface StorageStandIn {
  fetch(request: Request): Promise<Response>;
  /** Closes the connections to the database. */
  close(): Promise<void>;
}

/**
 * Opens a stand-in, and sweeps what a killed one has left.
 *
 * @throws part_failed when the folder or the database is of an older version
 */
export async function openStorageStandIn(options: StorageStandInOptions): Promise<StorageStandIn> {
  const sql = connectStorage(options.databaseUrl);
  const objects = new StoredObjects(new ObjectTable(sql), new VersionFolder(options.root));
  try {
    await prepareDatabase(sql, options.root);
    await objects.folder.prepare(() => objects.table.versions());
  } catch (thrown) {
    await sql.end({ timeout: 2 });
    throw thrown;
  }
  const parts: Parts = {
    objects,
    buckets: new BucketTable(sql),
    signer: new TokenSigner(options.signingSecret),
    maxObjectBytes: options.maxObjectBytes ?? 50 * 1024 * 1024,
    signedUploadSeconds: options.signedUploadSeconds ?? 7200,
    backend: options.backend ?? "s3",
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
  if (options.s3) addS3Routes(app, parts, options.s3);
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
    fetch: async (request) => await app.fetch(request),
    close: () => sql.end({ timeout: 2 }),
  };
}

function pathWithin(url: string): string {
  return new URL(url).pathname.replace(/^\/storage\/v1(?=\/)/, "");
}
