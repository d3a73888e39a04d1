/** The entrypoint of the deployed function `asset-sync`. */
import { createServices } from "../create_services.ts";
import { createAssetSyncApp } from "./app.ts";

Deno.serve(createAssetSyncApp(createServices(Deno.env.toObject())).fetch);
