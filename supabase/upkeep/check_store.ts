/**
 * `deno task check:store [--resume] [--json]`: compares catalog and store of the deployment that the environment names
 * (SUPABASE_URL, SUPABASE_SECRET_KEY or SUPABASE_SECRET_KEYS, as the functions read it): every key with its size and ETag,
 * every data file's bytes with its checksum. Exit code 1 when something is not as the catalog says. Stopped and called with
 * --resume it goes on; the scheduled check does too.
 */
import { parseArgs } from "node:util";
import { createServices } from "../../functions/create_services.ts";
import { systemClock } from "../../shared/clock.ts";
import { checkStore } from "../../shared/compaction/upkeep/check_store.ts";
import { asSedimentError } from "../../shared/errors.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    json: { type: "boolean", default: false },
    resume: { type: "boolean", default: false },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help) {
  console.log(
    "deno task check:store [--resume] [--json]: compares catalog and store; 1 when they differ",
  );
  Deno.exit(0);
}
try {
  const { catalog, store } = createServices(Deno.env.toObject());
  const report = await checkStore({ catalog, store, clock: systemClock }, {
    seconds: Infinity,
    full: true,
    restart: !values.resume,
  });
  if (values.json) console.log(JSON.stringify(report));
  else {
    for (const { kind, object_key, detail } of report.found) {
      console.log(`${kind.padEnd(8)} ${object_key}: ${detail}`);
    }
    const { listed, files_read, bytes_read, found, open, set_aside, stopped } = report;
    console.log(
      `${listed} objects listed, ${files_read} files of ${bytes_read} bytes read (${stopped}): ` +
        `${found.length} found, ${open} confirmed by a second look (store_differences), ` +
        `${set_aside} files set aside for it`,
    );
  }
  if (report.stopped !== "done") Deno.exit(2);
  Deno.exit(report.found.length > 0 || report.open > 0 ? 1 : 0);
} catch (thrown) {
  console.error(asSedimentError(thrown).message);
  Deno.exit(2);
}
