/** `DELETE /battle-data/datasets/…`, `DELETE /battle-data/users/:id` and the receipts, `GET /battle-data/deletions/:id`. */
import type { DeletionReceipt } from "../../shared/catalog/deletion_results.ts";
import { systemClock } from "../../shared/clock.ts";
import { carryOut } from "../../shared/deletion/carry_out.ts";
import { SedimentError } from "../../shared/errors.ts";
import { readingUser } from "../../shared/http/authenticate.ts";
import { queryOf } from "../../shared/http/query_of.ts";
import { deletionIdSchema, deletionQuerySchema } from "../../shared/protocol/deletion.ts";
import { nameSchema, uuidSchema } from "../../shared/protocol/fields.ts";
import { validate } from "../../shared/protocol/validate.ts";
import type { Services } from "../services.ts";

/** Seconds that a request goes on with what it began. */
const requestSeconds = 10;

/** What a path names: a dataset, a table of it, a period of all its tables or of one. */
export interface DeletionPath {
  dataset: string;
  table?: string;
  periodTag?: string;
}

/** Who asks for a deletion, and whether the objects are to go at once. */
async function readDeletion(services: Services, request: Request) {
  const caller = await services.auth.userOrService(request);
  const { purge } = validate(deletionQuerySchema, queryOf(request));
  return { caller, purge: purge === "now" };
}

/** Deletes data. */
export async function deleteData(
  services: Services,
  request: Request,
  path: DeletionPath,
): Promise<Response> {
  const { caller, purge } = await readDeletion(services, request);
  const receipt = await services.catalog.deleteData({
    user: readingUser(caller),
    dataset: validate(uuidSchema, path.dataset),
    table: path.table === undefined ? null : validate(nameSchema, path.table),
    periodTag: path.periodTag === undefined ? null : validate(nameSchema, path.periodTag),
    purge,
  });
  return await answer(services, request, receipt);
}

/** Deletes the rows of one upload. */
export async function deleteUpload(
  services: Services,
  request: Request,
  id: string,
): Promise<Response> {
  const { caller, purge } = await readDeletion(services, request);
  const receipt = await services.catalog.deleteUpload({
    user: readingUser(caller),
    upload: validate(uuidSchema, id),
    purge,
    merged: true,
  });
  return await answer(services, request, receipt);
}

/** Deletes all that a user has: the user's own wish, or a service's. */
export async function deleteUser(
  services: Services,
  request: Request,
  id: string,
): Promise<Response> {
  const { caller, purge } = await readDeletion(services, request);
  const user = validate(uuidSchema, id);
  const by = readingUser(caller);
  if (by !== null && by !== user) {
    throw new SedimentError("forbidden", "A user deletes nobody else", {
      field: "path",
      expected: "your own id",
    });
  }
  const receipt = await services.catalog.deleteUser({
    user,
    by,
    purge,
  });
  return await answer(services, request, receipt);
}

/** Where a deletion is. */
export async function serveReceipt(
  services: Services,
  request: Request,
  id: string,
): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const deletion = validate(deletionIdSchema, id);
  const receipt = await services.catalog.deletionStatus({ user: readingUser(caller), deletion });
  return Response.json(receipt, { headers: { "cache-control": "no-store" } });
}

/**
 * 200 when it is done, 202 while something is left to do: for the clockwork, when readers see nothing of it any more; or,
 * of an upload that was merged (`pending`), for the workers that write the outputs anew.
 */
async function answer(
  { catalog, store }: Services,
  request: Request,
  receipt: DeletionReceipt,
): Promise<Response> {
  const last = await carryOut({ catalog, store, clock: systemClock }, receipt, {
    seconds: requestSeconds,
    signal: request.signal,
  });
  return Response.json(last, {
    status: last.done ? 200 : 202,
    headers: { "cache-control": "no-store" },
  });
}
