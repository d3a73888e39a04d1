/** The routes of read-only keys, described. */
import * as z from "zod";
import { datasetKey, keyList, revokedKey } from "../../shared/catalog/key_results.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import type { RouteDescription } from "../../shared/http/openapi.ts";
import { keySessionAnswerSchema } from "../../shared/protocol/answers.ts";
import { keySchema, keySessionSchema } from "../../shared/protocol/keys.ts";

const owning: ErrorCode[] = [
  "invalid_request",
  "not_found",
  "dataset_forbidden",
  "dataset_deleted",
  "user_deleted",
];

const auth: ErrorCode[] = ["auth_failed", "misconfigured"];

const newKey = datasetKey.extend({
  secret: z.string().describe("Told this once: who holds it reads the dataset."),
});

export const keyRoutes: RouteDescription[] = [
  {
    method: "get",
    path: "/battle-data/datasets/{dataset}/keys",
    operationId: "listKeys",
    summary: "The read-only keys of a dataset",
    description: "For its owner; those that have ended stay for 30 days.",
    access: "user",
    answers: { 200: { description: "Keys, without their secrets.", schema: keyList } },
    problems: owning,
  },
  {
    method: "post",
    path: "/battle-data/datasets/{dataset}/keys",
    operationId: "createKey",
    summary: "Make a read-only key",
    description:
      "By the owner. Whoever has the `secret` reads the dataset until it ends: by itself, when it is revoked, with a handover " +
      "or with the dataset.",
    access: "user",
    body: { "application/json": keySchema },
    answers: { 201: { description: "The key, with its secret.", schema: newKey } },
    problems: [...owning, "quota_exceeded", "rate_limited", ...auth],
  },
  {
    method: "delete",
    path: "/battle-data/datasets/{dataset}/keys/{key}",
    operationId: "revokeKey",
    summary: "Revoke a key",
    description:
      "What comes with its sessions is refused from then on; URLs that were signed live to their end.",
    access: "user",
    answers: { 200: { description: "It opens nothing.", schema: revokedKey } },
    problems: owning,
  },
  {
    method: "post",
    path: "/battle-data/keys/session",
    operationId: "openKeySession",
    summary: "Exchange a key for a session",
    description:
      "The secret is the only credential. When the session has ended, ask for another one.",
    access: "anyone",
    body: { "application/json": keySessionSchema },
    answers: {
      200: { description: "An access token of the key's user.", schema: keySessionAnswerSchema },
    },
    problems: ["key_invalid", "rate_limited", "catalog_failed", "schema_outdated", ...auth],
  },
];
