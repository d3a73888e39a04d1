/** Requests for compaction, the state of runs, the dead letters. */
import { createHttpApp, type HttpApp, refuseOtherMethods } from "../../shared/http/http_app.ts";
import type { Services } from "../services.ts";
import { acceptRequest, sanitizeState, triggerScheduled } from "./request.ts";
import { serveHealth, serveStatus } from "./status.ts";
import { takeFragment } from "./upload.ts";

/** The app of `compaction`. */
export function createCompactionApp(services: Services): HttpApp {
  const app = createHttpApp("compaction");
  app.get("/", (c) => serveHealth(services, c.req.raw));
  app.post("/", (c) => acceptRequest(services, c.req.raw));
  app.post("/sanitize-state", (c) => sanitizeState(services, c.req.raw));
  app.post("/trigger-scheduled", (c) => triggerScheduled(services, c.req.raw));
  app.post("/upload", (c) => takeFragment(services, c.req.raw));
  app.get(
    "/status/:instanceId",
    (c) => serveStatus(services, c.req.raw, c.req.param("instanceId")),
  );
  refuseOtherMethods(app, "/", ["GET", "POST"]);
  for (const path of ["/sanitize-state", "/trigger-scheduled", "/upload"]) {
    refuseOtherMethods(app, path, ["POST"]);
  }
  refuseOtherMethods(app, "/status/:instanceId", ["GET"]);
  return app;
}
