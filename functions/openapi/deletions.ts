/** The routes of deletion, described. */
import type { RouteDescription } from "../../shared/http/openapi.ts";
import { deletionReceipt } from "../../shared/catalog/deletion_results.ts";
import { deletionQuerySchema } from "../../shared/protocol/deletion.ts";

export const deletionRoutes: RouteDescription[] = [
  ...([
    ["", "Delete a dataset", "deleteDataset"],
    ["/tables/{table}", "Delete a table of a dataset", "deleteTable"],
    ["/periods/{period}", "Delete a period of all tables of a dataset", "deletePeriod"],
    ["/tables/{table}/periods/{period}", "Delete a period of one table", "deleteTablePeriod"],
  ] as const).map(([path, summary, operationId]): RouteDescription => ({
    method: "delete",
    path: `/battle-data/datasets/{dataset}${path}`,
    operationId,
    summary,
    description:
      "Gone with the next version, which the receipt names; older versions stay readable for their retention. With " +
      "purge=now they end at once, and the objects are deleted. A dataset's id stays taken.",
    access: "user",
    query: deletionQuerySchema,
    answers: {
      200: { description: "Done.", schema: deletionReceipt },
      202: {
        description: "Gone for readers; files or objects are still being taken away.",
        schema: deletionReceipt,
      },
    },
    problems: ["invalid_request", "not_found", "dataset_forbidden"],
  })),
  {
    method: "delete",
    path: "/battle-data/uploads/{upload}",
    operationId: "deleteUpload",
    summary: "Delete the rows of one upload",
    description:
      "The id is the one in the upload's `key`. What merges have taken into files of many uploads is `pending`: it goes " +
      "when these are written anew, within minutes. Where such a file doesn't say which rows came from which upload: " +
      "provenance_unknown.",
    access: "user",
    query: deletionQuerySchema,
    answers: {
      200: { description: "Done.", schema: deletionReceipt },
      202: {
        description:
          "Pending, or gone for readers and still stored: the receipt says which, and tells when it is done.",
        schema: deletionReceipt,
      },
    },
    problems: ["invalid_request", "not_found", "upload_deleted", "provenance_unknown"],
  },
  {
    method: "delete",
    path: "/battle-data/users/{user}",
    operationId: "deleteUser",
    summary: "Delete all that a user has",
    description:
      "Datasets, assets and what limits have counted. The user is refused from then on, for good. A user who is deleted " +
      "in Auth is deleted here too.",
    access: "user",
    query: deletionQuerySchema,
    answers: {
      200: { description: "Done.", schema: deletionReceipt },
      202: { description: "Begun; the receipt says how far it is.", schema: deletionReceipt },
    },
    problems: ["invalid_request", "key_read_only"],
  },
  {
    method: "get",
    path: "/battle-data/deletions/{deletion}",
    operationId: "deletionStatus",
    summary: "The receipt of a deletion",
    access: "user",
    answers: { 200: { description: "What was deleted when.", schema: deletionReceipt } },
    problems: ["invalid_request", "not_found"],
  },
];
