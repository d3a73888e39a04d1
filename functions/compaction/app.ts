/** Requests for compaction, the state of runs, the dead letters. */
import { createHttpApp, type HttpApp, refuseOtherMethods } from "../../shared/http/http_app.ts";
import type { Services } from "../services.ts";
import { sendTestAlert } from "./alerts.ts";
import { addConsoleRoutes } from "./console.ts";
import { drop, redrive, serveDeadLetters } from "./dead_letters.ts";
import { serveDeployment } from "./deployment.ts";
import { acceptRequest, retryQuarantined, sanitizeState, triggerScheduled } from "./request.ts";
import { askForRewrite, serveRewrites } from "./rewrite.ts";
import { changeSettings, serveSettings } from "./settings.ts";
import { serveMetrics } from "./metrics.ts";
import { serveHealth, serveStatus } from "./status.ts";
import { takeFragment } from "./upload.ts";

/** The app of `compaction`. */
export function createCompactionApp(services: Services): HttpApp {
  const app = createHttpApp("compaction", services);
  app.get("/", (c) => serveHealth(services, c.req.raw));
  app.post("/", (c) => acceptRequest(services, c.req.raw));
  app.post("/sanitize-state", (c) => sanitizeState(services, c.req.raw));
  app.post("/trigger-scheduled", (c) => triggerScheduled(services, c.req.raw));
  app.post("/quarantine/retry", (c) => retryQuarantined(services, c.req.raw));
  app.post("/rewrite", (c) => askForRewrite(services, c.req.raw));
  app.get("/rewrite", (c) => serveRewrites(services, c.req.raw));
  app.post("/upload", (c) => takeFragment(services, c.req.raw));
  app.get(
    "/status/:instanceId",
    (c) => serveStatus(services, c.req.raw, c.req.param("instanceId")),
  );
  // POST is how pg_net's pings come.
  app.on(["GET", "POST"], "/deployment", (c) => serveDeployment(services, c.req.raw));
  app.get("/metrics", (c) => serveMetrics(services, c.req.raw));
  app.post("/alerts/test", (c) => sendTestAlert(services, c.req.raw));
  app.get("/dlq-status", (c) => serveDeadLetters(services, c.req.raw));
  app.post("/dlq/redrive", (c) => redrive(services, c.req.raw));
  app.post("/dlq/drop", (c) => drop(services, c.req.raw));
  for (const path of ["/", "/deployment", "/rewrite"]) {
    refuseOtherMethods(app, path, ["GET", "POST"]);
  }
  for (
    const path of [
      "/sanitize-state",
      "/trigger-scheduled",
      "/quarantine/retry",
      "/upload",
      "/dlq/redrive",
      "/dlq/drop",
      "/alerts/test",
    ]
  ) {
    refuseOtherMethods(app, path, ["POST"]);
  }
  for (const path of ["/status/:instanceId", "/dlq-status", "/metrics"]) {
    refuseOtherMethods(app, path, ["GET"]);
  }
  app.get("/settings", (c) => serveSettings(services, c.req.raw));
  app.patch("/settings", (c) => changeSettings(services, c.req.raw));
  refuseOtherMethods(app, "/settings", ["GET", "PATCH"]);
  addConsoleRoutes(app, services);
  return app;
}
