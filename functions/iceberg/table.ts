/** A table: `GET /iceberg/v1/namespaces/:namespace/tables/:table`. */
import { SedimentError } from "../../shared/errors.ts";
import { loadTable } from "../../shared/iceberg/load_table.ts";
import { vendedConfig } from "../../shared/iceberg/vended_config.ts";
import type { Services } from "../services.ts";
import { type CatalogCaller, catalogCaller } from "./caller.ts";
import { knownName } from "./known_name.ts";
import { storeAccess } from "./store_access.ts";

interface Place {
  namespace: string;
  table: string;
}

/** LoadTableResult: the metadata, and how its files are reached. */
export async function serveTable(
  services: Services,
  request: Request,
  asked: Place,
): Promise<Response> {
  const caller = await catalogCaller(services, request);
  const place = { namespace: knownName(asked.namespace), table: knownName(asked.table) };
  const bucket = services.env.SEDIMENT_BUCKET;
  const { catalog, store } = services;
  if (request.method === "HEAD") {
    await mustBeListed(services, caller, place);
    return new Response(null);
  }
  const loaded = await loadTable({ catalog, store, bucket }, { user: caller.user, ...place });
  const wanted = new URL(request.url).searchParams.get("snapshots");
  const metadata = wanted === "refs" ? currentOnly(loaded.metadata) : loaded.metadata;
  const config = vendedConfig(storeAccess(services, request, caller, place), request.headers);
  const rest = JSON.stringify({
    "metadata-location": `s3://${bucket}/${loaded.objectKey}`,
    config,
    ...credentials(bucket, place, config),
  });
  // the metadata is JSON already
  return new Response(`{"metadata":${metadata},${rest.slice(1)}`, {
    headers: { "content-type": "application/json", "cache-control": "no-store" },
  });
}

/** LoadCredentialsResponse: those of a table anew, before the last ones end. */
export async function serveCredentials(
  services: Services,
  request: Request,
  asked: Place,
): Promise<Response> {
  const caller = await catalogCaller(services, request);
  const place = { namespace: knownName(asked.namespace), table: knownName(asked.table) };
  // who may not read the table gets none
  await mustBeListed(services, caller, place);
  const config = vendedConfig(storeAccess(services, request, caller, place), request.headers);
  const bucket = services.env.SEDIMENT_BUCKET;
  const answer = { "storage-credentials": [], ...credentials(bucket, place, config) };
  return Response.json(answer, { headers: { "cache-control": "no-store" } });
}

/** Throws `not_found` for a table that its namespace doesn't have, and what `list_lake` refuses. */
async function mustBeListed(
  { catalog }: Services,
  { user }: CatalogCaller,
  { namespace, table }: Place,
): Promise<void> {
  const { names } = await catalog.listLake({ user, namespace });
  if (names.includes(table)) return;
  throw new SedimentError("not_found", "There is no such table");
}

/**
 * The same for what was written for readers, for outputs, and for all of the bucket. Where there are several DuckDB goes by their
 * prefixes, and the longest wins: of two catalogs that are attached at once each keeps to its own. Of a single one it would go by
 * the table's location, which is the bucket.
 */
function credentials(bucket: string, { namespace }: Place, config: Record<string, string>) {
  if (config["s3.access-key-id"] === undefined) return {};
  const dataset = namespace.toLowerCase();
  const prefixes = namespace === "lake"
    ? ["lake/all/", "battle_compacted/", ""]
    : [`lake/${dataset}/`, `battle_compacted/${dataset}/`, ""];
  return {
    "storage-credentials": prefixes.map((prefix) => ({
      prefix: `s3://${bucket}/${prefix}`,
      config,
    })),
  };
}

/** The metadata with the snapshots alone that a reference names: the current one. */
function currentOnly(metadata: string): string {
  const table = JSON.parse(metadata);
  const current = table["current-snapshot-id"];
  const isCurrent = (one: { "snapshot-id": number }) => one["snapshot-id"] === current;
  return JSON.stringify({ ...table, snapshots: table.snapshots.filter(isCurrent) });
}
