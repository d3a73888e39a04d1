/** The entrypoint of the deployed function `battle-data`. */
import { createServices } from "../create_services.ts";
import { createBattleDataApp } from "./app.ts";

Deno.serve(createBattleDataApp(createServices(Deno.env.toObject())).fetch);
