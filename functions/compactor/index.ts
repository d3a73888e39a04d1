/** The entrypoint of the deployed function `compactor`. */
import { createServices } from "../create_services.ts";
import { mergePort } from "../merge_port.ts";
import { createCompactorApp } from "./app.ts";

const services = createServices(Deno.env.toObject());
Deno.serve(createCompactorApp(services, mergePort(services)).fetch);
