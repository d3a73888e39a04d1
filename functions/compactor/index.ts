/** The entrypoint of the deployed function `compactor`. */
import { merge } from "../../shared/parquet/merge.ts";
import { createServices } from "../create_services.ts";
import { createCompactorApp } from "./app.ts";

Deno.serve(createCompactorApp(createServices(Deno.env.toObject()), merge).fetch);
