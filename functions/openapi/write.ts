/** `deno task openapi`: writes openapi.json from the routes and their schemas. */
import { openApi } from "./document.ts";

const path = new URL("./openapi.json", import.meta.url);
await Deno.writeTextFile(path, JSON.stringify(openApi(), null, 2) + "\n");
