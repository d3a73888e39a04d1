/** The entrypoint of the deployed function `dead-letter`. */
import { createServices } from "../create_services.ts";
import { createDeadLetterApp } from "./app.ts";

Deno.serve(createDeadLetterApp(createServices(Deno.env.toObject())).fetch);
