/** The OpenAPI document of all functions. */
import { openApiDocument, type RouteDescription } from "../../shared/http/openapi.ts";
import { version } from "../../shared/version.ts";
import { assetSyncRoutes } from "./asset_sync.ts";
import { compactionRoutes } from "./compaction.ts";
import { deletionRoutes } from "./deletions.ts";
import { icebergRoutes } from "./iceberg.ts";
import { keyRoutes } from "./keys.ts";
import { memberRoutes } from "./members.ts";
import { readerRoutes } from "./readers.ts";
import { uploadRoutes } from "./uploads.ts";

/** Every route. */
const routes: RouteDescription[] = [
  ...uploadRoutes,
  ...readerRoutes,
  ...deletionRoutes,
  ...memberRoutes,
  ...keyRoutes,
  ...compactionRoutes,
  ...assetSyncRoutes,
  ...icebergRoutes,
];

/** The document as it is checked in and served. */
export function openApi(): Record<string, unknown> {
  return openApiDocument({
    title: "Sediment",
    version,
    description:
      "Columnar data of many installations on Supabase: uploads in, large Parquet files out.",
  }, routes);
}
