/** The entrypoint of the deployed function `compaction`. */
import { createServices } from "../create_services.ts";
import { createCompactionApp } from "./app.ts";

Deno.serve(createCompactionApp(createServices(Deno.env.toObject())).fetch);
