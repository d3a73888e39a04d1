/** Serves the Storage stand-in over the folder and the database given as arguments, until killed; prints its URL. */
import { serveStandIn } from "./serve_stand_in.ts";

const [root, databaseUrl] = Deno.args;
const { url } = await serveStandIn({ root, databaseUrl });
console.log(url);
