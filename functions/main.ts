/** All functions in one server: for Deno Deploy and for the embedded Supabase. */
import { asSedimentError } from "../shared/errors.ts";
import { createHttpApp, type HttpApp } from "../shared/http/http_app.ts";
import { createAssetSyncApp } from "./asset-sync/app.ts";
import { createBattleDataApp } from "./battle-data/app.ts";
import { createCompactionApp } from "./compaction/app.ts";
import { createCompactorApp } from "./compactor/app.ts";
import { createConsoleApp } from "./console.ts";
import { createDeadLetterApp } from "./dead-letter/app.ts";
import { createIcebergApp } from "./iceberg/app.ts";
import { createServices, type ReplacedPorts } from "./create_services.ts";
import { mergePort } from "./merge_port.ts";

/** Something that answers requests. */
export interface App {
  fetch(request: Request): Promise<Response>;
  /** Closes what is connected. */
  close(): Promise<void>;
}

/**
 * All functions of one environment; each answers below `/NAME` and below `/functions/v1/NAME`.
 *
 * @param variables names and values, as `Deno.env.toObject()` gives them
 * @param ports replace the real catalog and store, in tests
 * @throws SedimentError `misconfigured`, naming the variables that are wrong
 */
export function createApp(
  variables: Record<string, string | undefined>,
  ports: ReplacedPorts = {},
): App {
  const services = createServices(variables, ports);
  const apps: Record<string, HttpApp> = {
    "battle-data": createBattleDataApp(services),
    "compaction": createCompactionApp(services),
    "compactor": createCompactorApp(services, mergePort(services)),
    "dead-letter": createDeadLetterApp(services),
    "asset-sync": createAssetSyncApp(services),
    "iceberg": createIcebergApp(services),
    "console": createConsoleApp(services),
  };
  // Request id, CORS and draining are the same where no function answers.
  const nowhere = createHttpApp("");
  return {
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const [, name = ""] = /^(?:\/functions\/v1)?\/([^/]+)/.exec(pathname) ?? [];
      const app = Object.hasOwn(apps, name) ? apps[name] : undefined;
      return await (app ?? nowhere).fetch(request);
    },
    close: () => services.close(),
  };
}

if (import.meta.main) {
  try {
    Deno.serve(createApp(Deno.env.toObject()).fetch);
  } catch (thrown) {
    console.error(asSedimentError(thrown).message);
    Deno.exit(1);
  }
}
