/**
 * `deno task settle:schemas [--dry-run]`: looks after outputs that were written while schemas were shared by fingerprint, and
 * uploaded files of then whose schemas are not known, in the deployment that the environment names (SUPABASE_URL, SUPABASE_SECRET_KEY, as the functions read it). Once is enough.
 */
import { parseArgs } from "node:util";
import { createServices } from "../../functions/create_services.ts";
import { settleSchemas } from "../../shared/compaction/upkeep/settle_schemas.ts";
import { asSedimentError } from "../../shared/errors.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    "dry-run": { type: "boolean", default: false },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help) {
  console.log(
    "deno task settle:schemas [--dry-run]: marks outputs with another's field ids, keeps schemas that are not known",
  );
  Deno.exit(0);
}
const services = createServices(Deno.env.toObject());
try {
  const report = await settleSchemas(services, { dryRun: values["dry-run"] });
  console.log(JSON.stringify(report));
  Deno.exit(report.unread.length > 0 ? 1 : 0);
} catch (thrown) {
  console.error(asSedimentError(thrown).message);
  Deno.exit(2);
} finally {
  await services.close();
}
