/** `deno task start`: the embedded Supabase in the foreground, until Ctrl-C. */
import { parseArgs } from "node:util";
import { join } from "node:path";
import { SedimentError } from "../../shared/errors.ts";
import { repositoryRoot } from "./parts/npm_packages.ts";
import { asJson, asTable } from "./start_report.ts";
import { catalogWays, type Stack, startStack } from "./stack.ts";
import type { RealStorage } from "./storage_proxy.ts";

const usage = `deno task start [options]     the embedded Supabase, without Docker

  --state DIR     where data and keys are kept   (default .state/ in the repository)
  --port N        port of the gateway; 0: any free one   (default 54321; PostgreSQL takes the next one if free)
  --reset         empty the state folder first
  --json          print one line of JSON (URLs, keys) instead of the table
  --no-cron       do not run the pg_cron and pg_net stand-ins
  --no-migrations do not apply supabase/migrations
  --no-functions  do not serve functions/main.ts
  --storage URL   a real Storage API behind the gateway in place of the stand-in; it must verify tokens with
                  the secret in SEDIMENT_LOCAL_STORAGE_JWT_SECRET
  --catalog WAY   how the functions reach the catalog: postgres (default) or postgrest, as hosted by default
  --help

Ends with Ctrl-C. Environment: POSTGREST_BIN (path of PostgREST), SEDIMENT_CACHE_DIR (where PostgreSQL is unpacked).`;

function readOptions() {
  try {
    const { values } = parseArgs({
      args: Deno.args,
      options: {
        state: { type: "string" },
        port: { type: "string", default: "54321" },
        reset: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        cron: { type: "boolean", default: true },
        migrations: { type: "boolean", default: true },
        functions: { type: "boolean", default: true },
        storage: { type: "string" },
        catalog: { type: "string", default: "postgres" },
        help: { type: "boolean", short: "h", default: false },
      },
      allowNegative: true,
    });
    const port = Number(values.port);
    if (values.port.trim() === "" || !Number.isInteger(port) || port < 0 || port > 65_535) {
      throw new Error(`--port ${values.port} is not a port`);
    }
    const catalog = catalogWays.find((way) => way === values.catalog);
    if (catalog === undefined) {
      throw new Error(`--catalog ${values.catalog} is neither ${catalogWays.join(" nor ")}`);
    }
    return { ...values, port, catalog, storage: storageOption(values.storage) };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`);
    Deno.exit(2);
  }
}

function storageOption(url: string | undefined): RealStorage | undefined {
  if (url === undefined) return undefined;
  const jwtSecret = Deno.env.get("SEDIMENT_LOCAL_STORAGE_JWT_SECRET");
  if (!URL.canParse(url)) throw new Error(`--storage ${url} is not a URL`);
  if (!jwtSecret) {
    throw new Error(
      "--storage needs SEDIMENT_LOCAL_STORAGE_JWT_SECRET, which that Storage verifies with",
    );
  }
  return { url, jwtSecret };
}

const options = readOptions();
if (options.help) {
  console.log(usage);
  Deno.exit(0);
}

let stack: Stack | undefined;
let interrupted = false;
let exitCode = 0;
let finish = () => {};
const finished = new Promise<void>((resolve) => finish = resolve);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.addSignalListener(signal, () => {
    if (interrupted) Deno.exit(130); // asked twice: the watchdog ends the children
    interrupted = true;
    finish();
  });
}

try {
  stack = await startStack({
    stateDir: options.state ?? join(repositoryRoot, ".state"),
    port: options.port,
    dbPort: options.port === 0 ? undefined : options.port + 1,
    reset: options.reset,
    cron: options.cron,
    migrations: options.migrations,
    functions: options.functions,
    catalog: options.catalog,
    storage: options.storage,
    quiet: false,
  });
  console.log(options.json ? asJson(stack) : asTable(stack));
  stack.failed.then((what) => {
    console.error(`\n${what} Stopping; start again with the same command: the data is kept.`);
    exitCode = 1;
    finish();
  });
  await finished;
  if (interrupted) console.error("\nstopping");
} catch (error) {
  console.error(
    `start: ${error instanceof SedimentError ? error.message : (error as Error).stack}`,
  );
  exitCode = 1;
}
await stack?.stop();
Deno.exit(exitCode);
