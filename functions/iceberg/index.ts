/** The entrypoint of the deployed function `iceberg`. */
import { createServices } from "../create_services.ts";
import { createIcebergApp } from "./app.ts";

Deno.serve(createIcebergApp(createServices(Deno.env.toObject())).fetch);
