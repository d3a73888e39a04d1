/**
 * `deno task check:store [--json]`: compares catalog and store of the deployment that the environment names
 * (SUPABASE_URL, SUPABASE_SECRET_KEY or SUPABASE_SECRET_KEYS, as the functions read it). Exit code 1 when they differ.
 */
import { parseArgs } from "node:util";
import { createServices } from "../../functions/create_services.ts";
import { checkStore } from "../../shared/compaction/upkeep/check_store.ts";
import { asSedimentError } from "../../shared/errors.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: { json: { type: "boolean", default: false }, help: { type: "boolean", short: "h" } },
});
if (values.help) {
  console.log("deno task check:store [--json]: compares catalog and store; 1 when they differ");
  Deno.exit(0);
}
try {
  const report = await checkStore(createServices(Deno.env.toObject()));
  if (values.json) {
    console.log(JSON.stringify(report));
  } else {
    for (const { kind, key, catalog, store } of report.differences) {
      console.log(`${kind.padEnd(8)} ${key}: catalog ${catalog ?? "-"}, store ${store ?? "-"}`);
    }
    const counts = Object.entries(report.counts).map(([kind, count]) => `${count} ${kind}`);
    console.log(`${report.stored} stored, ${report.listed} listed: ${counts.join(", ")}`);
  }
  Deno.exit(Object.values(report.counts).some((count) => count > 0) ? 1 : 0);
} catch (thrown) {
  console.error(asSedimentError(thrown).message);
  Deno.exit(2);
}
