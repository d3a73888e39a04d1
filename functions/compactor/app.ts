/** One worker's turn, woken by the tick. */
import { systemClock } from "../../shared/clock.ts";
import { Pace } from "../../shared/compaction/run/pace.ts";
import { SingleTurn } from "../../shared/compaction/run/single_turn.ts";
import type { CompactionPorts } from "../../shared/compaction/run/ports.ts";
import { takeTurn, type TurnReport } from "../../shared/compaction/run/turn.ts";
import { createHttpApp, type HttpApp, refuseOtherMethods } from "../../shared/http/http_app.ts";
import { requestIdOf } from "../../shared/http/request_id.ts";
import { queryOf } from "../../shared/http/query_of.ts";
import { checkStore } from "../../shared/compaction/upkeep/check_store.ts";
import { checkQuerySchema, vacuumQuerySchema } from "../../shared/protocol/compaction.ts";
import { validate } from "../../shared/protocol/validate.ts";
import { deleteAndVacuum } from "../../shared/deletion/delete_and_vacuum.ts";
import { removeEndedKeys } from "../../shared/keys/remove_ended_keys.ts";
import type { Services } from "../services.ts";

/** What edge-runtime adds to Deno. */
interface EdgeRuntime {
  waitUntil(promise: Promise<unknown>): void;
}

/**
 * The app of `compactor`.
 *
 * @param merge `shared/parquet/merge/merge.ts`; tests give what stands in for it
 */
export function createCompactorApp(services: Services, merge: CompactionPorts["merge"]): HttpApp {
  const app = createHttpApp("compactor", services);
  /** Fired when the isolate is about to end: what is begun is ended, nothing more is claimed. */
  const stopping = new AbortController();
  globalThis.addEventListener?.("beforeunload", () => stopping.abort());

  const pace = new Pace(systemClock);
  const turn = (request: Request) => {
    const { env, catalog, store, objectLimit, log } = services;
    return takeTurn({ catalog, store, objectLimit, merge, clock: systemClock, log }, {
      worker: `compactor-${requestIdOf(request.headers)}`,
      leaseSeconds: env.SEDIMENT_LEASE_SECONDS,
      turnSeconds: env.SEDIMENT_TURN_SECONDS,
      turnBytes: env.SEDIMENT_TURN_BYTES,
      budget: { cpuMs: env.SEDIMENT_TURN_CPU_MS, memoryMb: env.SEDIMENT_TURN_MEMORY_MB },
      pace,
      stopClaiming: stopping.signal,
    });
  };

  let pinged: Request;
  const turns = new SingleTurn(async () => {
    const report = await turn(pinged);
    logTurn(report);
    return report;
  }, {
    // What a hosted isolate has spent it does not get back; one that did nothing has spent nothing.
    mayGoOn: ({ runs }) => !stopping.signal.aborted && (!isHosted() || runs.length === 0),
    leavesWork: ({ stopped }) => stopped === "budget" || stopped === "deadline",
    // The tick pings as many as there are slots and due messages.
    wakeSuccessor: async () => void await services.catalog.tick({}),
  });

  app.post("/", async (c) => {
    const request = c.req.raw;
    await services.auth.service(request);
    if (turns.running) return c.json(await turns.take());
    pinged = request;
    return await answer(request, () => turns.take());
  });
  app.post("/vacuum", async (c) => {
    await services.auth.service(c.req.raw);
    const { env, catalog, store } = services;
    const { dry_run: dryRun } = validate(vacuumQuerySchema, queryOf(c.req.raw));
    const isDry = dryRun !== undefined && !["0", "false"].includes(dryRun);
    const work = () =>
      deleteAndVacuum({ catalog, store, clock: systemClock }, {
        seconds: env.SEDIMENT_TURN_SECONDS,
        dryRun: isDry,
        signal: stopping.signal,
      });
    // Whoever asks what it would do wants to hear it.
    return dryRun === undefined ? await answer(c.req.raw, work) : c.json(await work());
  });
  app.post("/check", async (c) => {
    await services.auth.service(c.req.raw);
    validate(checkQuerySchema, queryOf(c.req.raw));
    const { env, catalog, store } = services;
    return await answer(c.req.raw, () =>
      checkStore({ catalog, store, clock: systemClock }, {
        seconds: env.SEDIMENT_TURN_SECONDS / 2,
        signal: stopping.signal,
      }));
  });
  app.post("/keys", async (c) => {
    await services.auth.service(c.req.raw);
    const { env, catalog, keyUsers } = services;
    return await answer(c.req.raw, async () => {
      const report = await removeEndedKeys({ catalog, keyUsers, clock: systemClock }, {
        seconds: env.SEDIMENT_TURN_SECONDS / 2,
        signal: stopping.signal,
      });
      for (const failure of report.failed) {
        console.error(JSON.stringify({ level: "error", event: "key_user_stays", ...failure }));
      }
      return report;
    });
  });
  refuseOtherMethods(app, "/keys", ["POST"]);
  refuseOtherMethods(app, "/check", ["POST"]);
  refuseOtherMethods(app, "/", ["POST"]);
  refuseOtherMethods(app, "/vacuum", ["POST"]);
  return app;
}

/** Whether this is an isolate of edge-runtime, whose CPU time and memory are bounded over its life. */
function isHosted(): boolean {
  return "EdgeRuntime" in globalThis;
}

/**
 * Works and answers with the report. The pings of cron wait for nobody: where the runtime can, they are answered at
 * once and the isolate lives until the work is done; `?wait` asks for the report there too.
 */
async function answer(request: Request, work: () => Promise<unknown>): Promise<Response> {
  const edge = (globalThis as { EdgeRuntime?: EdgeRuntime }).EdgeRuntime;
  if (edge?.waitUntil === undefined || new URL(request.url).searchParams.has("wait")) {
    return Response.json(await work());
  }
  edge.waitUntil(work().catch((error) => console.error(String(error))));
  return Response.json({ accepted: true });
}

function logTurn(report: TurnReport): void {
  for (const run of report.runs) {
    if (run.outcome !== "failed") continue;
    console.error(JSON.stringify({ level: "error", worker: report.worker, ...run }));
  }
}
