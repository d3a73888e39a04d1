/** Serves the Storage stand-in over the folder given as argument, until it is killed; prints its URL. */
import { serveStandIn } from "./serve_stand_in.ts";

const { url } = await serveStandIn({ root: Deno.args[0] });
console.log(url);
