/** The version of the product, of which deno.json is the one place; the schema has a number of its own. */
import config from "../deno.json" with { type: "json" };

/** As in CHANGELOG.md. */
export const version: string = config.version;
