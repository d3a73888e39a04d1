/** The routes of asset-sync, described. */
import * as z from "zod";
import { asset, assetList, committedAsset } from "../../shared/catalog/asset_results.ts";
import type { RouteDescription } from "../../shared/http/openapi.ts";
import { assetFieldsSchema } from "../../shared/uploads/asset_request.ts";
import {
  assetHashQuerySchema,
  assetListQuerySchema,
  assetUrlQuerySchema,
} from "../asset-sync/read.ts";

const stored = committedAsset.omit({ object_key: true }).extend({ ok: z.literal(true) });

export const assetSyncRoutes: RouteDescription[] = [
  {
    method: "post",
    path: "/asset-sync/upload",
    operationId: "planAsset",
    summary: "Step 1 of an asset's upload",
    access: "user",
    body: { "application/json": assetFieldsSchema },
    answers: {
      200: {
        description: "Planned.",
        schema: z.object({
          uploadUrl: z.url(),
          expiresAt: z.iso.datetime(),
          replaces: z.boolean(),
        }),
      },
    },
    problems: [
      "invalid_request",
      "invalid_name",
      "invalid_json",
      "already_stored",
      "rate_limited",
      "quota_exceeded",
    ],
  },
  ...(["post", "put"] as const).map((method): RouteDescription => ({
    method,
    path: "/asset-sync/upload/{stage}",
    operationId: `assetBytes_${method}`,
    summary: "Step 2: the raw bytes, to the uploadUrl of step 1",
    access: "token",
    body: { "application/octet-stream": "The file that step 1 described." },
    answers: { 200: { description: "Stored.", schema: stored } },
    problems: [
      "forbidden",
      "stage_expired",
      "empty_file",
      "size_mismatch",
      "hash_mismatch",
      "quota_exceeded",
    ],
  })),
  {
    method: "get",
    path: "/asset-sync/keys",
    operationId: "assetKeys",
    summary: "The user's assets, in key order",
    access: "user",
    query: assetListQuerySchema,
    answers: {
      200: { description: "A page.", schema: assetList.extend({ keys: z.array(z.string()) }) },
    },
    problems: ["invalid_request", "invalid_cursor"],
  },
  {
    method: "get",
    path: "/asset-sync/check-hash",
    operationId: "checkHash",
    summary: "Whether a key is there and holds the bytes of a hash",
    access: "user",
    query: assetHashQuerySchema,
    answers: {
      200: {
        description: "Whether.",
        schema: z.object({
          key: z.string(),
          exists: z.boolean(),
          matches: z.boolean(),
          content_hash: z.string().nullable(),
        }),
      },
    },
    problems: ["invalid_request", "invalid_name"],
  },
  {
    method: "get",
    path: "/asset-sync/url",
    operationId: "assetUrl",
    summary: "A signed URL of an asset's bytes",
    access: "user",
    query: assetUrlQuerySchema,
    answers: {
      200: {
        description: "The asset.",
        schema: asset.omit({ object_key: true }).extend({
          url: z.url(),
          url_expires_at: z.iso.datetime(),
        }),
      },
    },
    problems: ["invalid_request", "invalid_name", "not_found"],
  },
];
