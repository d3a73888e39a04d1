/** The routes that the console asks, described. */
import { results } from "../../shared/catalog/results.ts";
import type { RouteDescription } from "../../shared/http/openapi.ts";
import { changedSettingsSchema } from "../../shared/protocol/answers.ts";
import {
  changeSettingsSchema,
  datasetsQuerySchema,
  overviewQuerySchema,
  partitionsQuerySchema,
  quarantineQuerySchema,
  runsQuerySchema,
  settingsQuerySchema,
} from "../../shared/protocol/console.ts";

/** All are of what the caller may read: a user's own, or, with a secret key, of all. An ETag says when nothing has changed. */
const headers = { "if-none-match": "The ETag of the last answer: 304 where it still holds." };
const unchanged = { 304: { description: "As the last answer." } };

export const consoleRoutes: RouteDescription[] = [
  {
    method: "get",
    path: "/compaction/overview",
    operationId: "overview",
    summary: "What is there, what waits and what is wrong",
    access: "user",
    headers,
    query: overviewQuerySchema,
    answers: {
      200: { description: "The overview.", schema: results.readOverview },
      ...unchanged,
    },
    problems: ["invalid_request"],
  },
  {
    method: "get",
    path: "/compaction/datasets",
    operationId: "datasets",
    summary: "Datasets with their sums and what they owe",
    access: "user",
    headers,
    query: datasetsQuerySchema,
    answers: { 200: { description: "A page.", schema: results.listDatasets }, ...unchanged },
    problems: ["invalid_request", "invalid_cursor"],
  },
  {
    method: "get",
    path: "/compaction/partitions",
    operationId: "partitions",
    summary:
      "Partitions of a dataset, or those that are stuck, wait or are worked on, with the last decision",
    access: "user",
    headers,
    query: partitionsQuerySchema,
    answers: { 200: { description: "A page.", schema: results.listPartitions }, ...unchanged },
    problems: [
      "invalid_request",
      "invalid_name",
      "invalid_cursor",
      "dataset_forbidden",
      "dataset_deleted",
      "not_found",
    ],
  },
  {
    method: "get",
    path: "/compaction/runs",
    operationId: "runs",
    summary: "Runs, the latest first",
    access: "user",
    headers,
    query: runsQuerySchema,
    answers: { 200: { description: "A page.", schema: results.listRuns }, ...unchanged },
    problems: [
      "invalid_request",
      "invalid_name",
      "dataset_forbidden",
      "dataset_deleted",
      "not_found",
    ],
  },
  {
    method: "get",
    path: "/compaction/runs/{id}",
    operationId: "runTimeline",
    summary: "A run in order: its steps, and its outputs with what each was made of",
    access: "user",
    headers,
    answers: { 200: { description: "The run.", schema: results.runTimeline }, ...unchanged },
    problems: ["run_not_found"],
  },
  {
    method: "get",
    path: "/compaction/quarantine",
    operationId: "quarantine",
    summary: "Files in quarantine, and why",
    access: "user",
    headers,
    query: quarantineQuerySchema,
    answers: { 200: { description: "The files.", schema: results.listQuarantined }, ...unchanged },
    problems: ["invalid_request", "dataset_forbidden", "dataset_deleted", "not_found"],
  },
  {
    method: "get",
    path: "/compaction/settings",
    operationId: "settings",
    summary: "The deployment's settings with what they mean, and who changed them",
    description:
      "Of tables and users the 200 that were changed last; those of `dataset_id` and `table`, or of `user_id`, are among " +
      "them however long ago they were.",
    access: "service",
    headers,
    query: settingsQuerySchema,
    answers: { 200: { description: "Settings.", schema: results.readSettings }, ...unchanged },
    problems: ["invalid_request", "invalid_name"],
  },
  {
    method: "patch",
    path: "/compaction/settings",
    operationId: "changeSettings",
    summary: "Change settings of the deployment, of a table or of a user, all or none",
    description:
      "`changes` has values by the settings' names, `reset` names those that take their default. A value that is " +
      "refused is named by `field`, with what is `expected`; nothing is changed then.",
    access: "service",
    body: { "application/json": changeSettingsSchema },
    answers: { 200: { description: "Which were changed.", schema: changedSettingsSchema } },
    problems: ["invalid_request", "invalid_json", "invalid_config", "not_found"],
  },
];
