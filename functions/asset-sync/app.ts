/** Files beside the data: two-step upload, what is there, whether it is the same. */
import { createHttpApp, type HttpApp, refuseOtherMethods } from "../../shared/http/http_app.ts";
import type { Services } from "../services.ts";
import { checkHash, serveKeys, serveUrl } from "./read.ts";
import { completeDirect, planAsset, takeAsset } from "./upload.ts";

/** The app of `asset-sync`. */
export function createAssetSyncApp(services: Services): HttpApp {
  const app = createHttpApp("asset-sync", services);
  app.post("/upload", (c) => planAsset(services, c.req.raw));
  app.on(
    ["POST", "PUT"],
    "/upload/:stage",
    (c) => takeAsset(services, c.req.raw, c.req.param("stage")),
  );
  app.post(
    "/upload/:stage/complete",
    (c) => completeDirect(services, c.req.raw, c.req.param("stage")),
  );
  app.get("/keys", (c) => serveKeys(services, c.req.raw));
  app.get("/check-hash", (c) => checkHash(services, c.req.raw));
  app.get("/url", (c) => serveUrl(services, c.req.raw));
  refuseOtherMethods(app, "/upload", ["POST"]);
  refuseOtherMethods(app, "/upload/:stage", ["POST", "PUT"]);
  refuseOtherMethods(app, "/upload/:stage/complete", ["POST"]);
  for (const path of ["/keys", "/check-hash", "/url"]) refuseOtherMethods(app, path, ["GET"]);
  return app;
}
