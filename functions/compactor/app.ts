/** One worker's turn, woken by the tick. */
import { systemClock } from "../../shared/compaction/clock.ts";
import type { CompactionPorts } from "../../shared/compaction/ports.ts";
import { takeTurn, type TurnReport } from "../../shared/compaction/turn.ts";
import { vacuum } from "../../shared/compaction/vacuum.ts";
import { createHttpApp, type HttpApp, refuseOtherMethods } from "../../shared/http/http_app.ts";
import { requestIdOf } from "../../shared/http/request_id.ts";
import type { Services } from "../services.ts";

/** What edge-runtime adds to Deno. */
interface EdgeRuntime {
  waitUntil(promise: Promise<unknown>): void;
}

/**
 * The app of `compactor`.
 *
 * @param merge `shared/parquet/merge.ts`; tests give what stands in for it
 */
export function createCompactorApp(services: Services, merge: CompactionPorts["merge"]): HttpApp {
  const app = createHttpApp("compactor");
  /** Fired when the isolate is about to end: what is begun is ended, nothing more is claimed. */
  const stopping = new AbortController();
  globalThis.addEventListener?.("beforeunload", () => stopping.abort());

  const turn = (request: Request) => {
    const { env, catalog, store } = services;
    return takeTurn({ catalog, store, merge, clock: systemClock }, {
      worker: `compactor-${requestIdOf(request.headers)}`,
      leaseSeconds: env.SEDIMENT_LEASE_SECONDS,
      turnSeconds: env.SEDIMENT_TURN_SECONDS,
      turnBytes: env.SEDIMENT_TURN_BYTES,
      stopClaiming: stopping.signal,
    });
  };

  app.post("/", async (c) => {
    const request = c.req.raw;
    await services.auth.service(request);
    const edge = (globalThis as { EdgeRuntime?: EdgeRuntime }).EdgeRuntime;
    // The ping of the tick waits for nobody; with waitUntil the isolate lives until the turn is done.
    if (edge?.waitUntil !== undefined && !new URL(request.url).searchParams.has("wait")) {
      edge.waitUntil(turn(request).then(logTurn, (error) => console.error(String(error))));
      return c.json({ accepted: true });
    }
    const report = await turn(request);
    logTurn(report);
    return c.json(report);
  });
  app.post("/vacuum", async (c) => {
    await services.auth.service(c.req.raw);
    const { env, catalog, store } = services;
    return c.json(
      await vacuum({ catalog, store, clock: systemClock }, {
        seconds: env.SEDIMENT_TURN_SECONDS,
        dryRun: new URL(c.req.url).searchParams.has("dry_run"),
        signal: stopping.signal,
      }),
    );
  });
  refuseOtherMethods(app, "/", ["POST"]);
  refuseOtherMethods(app, "/vacuum", ["POST"]);
  return app;
}

function logTurn(report: TurnReport): void {
  for (const run of report.runs) {
    if (run.outcome !== "failed") continue;
    console.error(JSON.stringify({ level: "error", worker: report.worker, ...run }));
  }
}
