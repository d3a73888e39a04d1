/** The routes of asset-sync, described. */
import * as z from "zod";
import type { RouteDescription } from "../../shared/http/openapi.ts";
import {
  assetPageSchema,
  checkedHashSchema,
  plannedAssetSchema,
  signedAssetSchema,
  storedAssetSchema,
} from "../../shared/protocol/answers.ts";
import {
  assetFieldsSchema,
  assetHashQuerySchema,
  assetListQuerySchema,
  assetUrlQuerySchema,
} from "../../shared/protocol/asset.ts";

export const assetSyncRoutes: RouteDescription[] = [
  {
    method: "post",
    path: "/asset-sync/upload",
    operationId: "planAsset",
    summary: "Step 1 of an asset's upload",
    access: "user",
    query: z.object({
      direct: z.literal("1").optional().describe("The bytes go to the store, not through us."),
    }),
    body: { "application/json": assetFieldsSchema },
    answers: {
      200: {
        description: "Planned.",
        schema: plannedAssetSchema,
      },
    },
    problems: [
      "invalid_request",
      "invalid_name",
      "invalid_json",
      "body_too_large",
      "already_stored",
      "key_read_only",
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
    answers: { 200: { description: "Stored.", schema: storedAssetSchema } },
    problems: [
      "forbidden",
      "rate_limited",
      "stage_expired",
      "empty_file",
      "size_mismatch",
      "hash_mismatch",
      "quota_exceeded",
    ],
  })),
  {
    method: "post",
    path: "/asset-sync/upload/{stage}/complete",
    operationId: "completeAsset",
    summary:
      "The end of a direct upload: size and hash of what is in the store are checked, and it becomes the asset",
    access: "user",
    answers: { 200: { description: "Stored.", schema: storedAssetSchema } },
    problems: [
      "not_found",
      "forbidden",
      "rate_limited",
      "stage_expired",
      "size_mismatch",
      "hash_mismatch",
      "quota_exceeded",
    ],
  },
  {
    method: "get",
    path: "/asset-sync/keys",
    operationId: "assetKeys",
    summary: "The user's assets, in key order",
    access: "user",
    query: assetListQuerySchema,
    answers: {
      200: { description: "A page.", schema: assetPageSchema },
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
        schema: checkedHashSchema,
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
        schema: signedAssetSchema,
      },
    },
    problems: ["invalid_request", "invalid_name", "not_found"],
  },
];
