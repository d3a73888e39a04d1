/** Uploads of data and the manifest of what is stored. */
import { createHttpApp, type HttpApp, refuseOtherMethods } from "../../shared/http/http_app.ts";
import type { Services } from "../services.ts";
import openapi from "../openapi/openapi.json" with { type: "json" };
import { serveLimits } from "./limits.ts";
import { completeDirect } from "./complete.ts";
import { serveContent } from "./content.ts";
import { deleteData, deleteUpload, deleteUser, serveReceipt } from "./deletion.ts";
import { createKey, openSession, revokeKey, serveKeys } from "./keys.ts";
import {
  acceptInvitation,
  inviteMember,
  removeMember,
  renameTable,
  revokeInvitation,
  serveMembers,
} from "./members.ts";
import { serveManifest } from "./manifest.ts";
import { serveTables } from "./tables.ts";
import { takeBytes, takeUpload } from "./upload.ts";

/** The app of `battle-data`. */
export function createBattleDataApp(services: Services): HttpApp {
  const app = createHttpApp("battle-data", services);
  app.post("/upload", (c) => takeUpload(services, c.req.raw));
  app.on(
    ["POST", "PUT"],
    "/upload/:stage",
    (c) => takeBytes(services, c.req.raw, c.req.param("stage")),
  );
  app.post(
    "/upload/:stage/complete",
    (c) => completeDirect(services, c.req.raw, c.req.param("stage")),
  );
  app.get("/chunks", (c) => serveManifest(services, c.req.raw, { signed: false }));
  app.get("/latest", (c) => serveManifest(services, c.req.raw, { signed: true }));
  app.get("/tables", (c) => serveTables(services, c.req.raw));
  app.get("/files/:id/content", (c) => serveContent(services, c.req.raw, c.req.param("id")));
  app.get("/limits", (c) => serveLimits(services, c.req.raw));
  app.delete(
    "/datasets/:dataset",
    (c) => deleteData(services, c.req.raw, { dataset: c.req.param("dataset") }),
  );
  app.delete("/datasets/:dataset/tables/:table", (c) => {
    const { dataset, table } = c.req.param();
    return deleteData(services, c.req.raw, { dataset, table });
  });
  app.delete("/datasets/:dataset/periods/:period", (c) => {
    const { dataset, period } = c.req.param();
    return deleteData(services, c.req.raw, { dataset, periodTag: period });
  });
  app.delete("/datasets/:dataset/tables/:table/periods/:period", (c) => {
    const { dataset, table, period } = c.req.param();
    return deleteData(services, c.req.raw, { dataset, table, periodTag: period });
  });
  app.delete("/uploads/:upload", (c) => deleteUpload(services, c.req.raw, c.req.param("upload")));
  app.delete("/users/:user", (c) => deleteUser(services, c.req.raw, c.req.param("user")));
  app.get(
    "/deletions/:deletion",
    (c) => serveReceipt(services, c.req.raw, c.req.param("deletion")),
  );
  serveSharing(app, services);
  serveReadOnlyKeys(app, services);
  app.get("/openapi.json", (c) => c.json(openapi));
  refuseOtherMethods(app, "/upload", ["POST"]);
  refuseOtherMethods(app, "/upload/:stage", ["POST", "PUT"]);
  refuseOtherMethods(app, "/upload/:stage/complete", ["POST"]);
  refuseOtherMethods(app, "/chunks", ["GET"]);
  refuseOtherMethods(app, "/latest", ["GET"]);
  refuseOtherMethods(app, "/limits", ["GET"]);
  refuseOtherMethods(app, "/tables", ["GET"]);
  refuseOtherMethods(app, "/files/:id/content", ["GET", "HEAD"]);
  refuseOtherMethods(app, "/datasets/:dataset", ["DELETE"]);
  refuseOtherMethods(app, "/datasets/:dataset/tables/:table", ["DELETE"]);
  refuseOtherMethods(app, "/datasets/:dataset/periods/:period", ["DELETE"]);
  refuseOtherMethods(app, "/datasets/:dataset/tables/:table/periods/:period", ["DELETE"]);
  refuseOtherMethods(app, "/uploads/:upload", ["DELETE"]);
  refuseOtherMethods(app, "/users/:user", ["DELETE"]);
  refuseOtherMethods(app, "/deletions/:deletion", ["GET"]);
  return app;
}

/** The routes by which datasets are shared. */
function serveSharing(app: HttpApp, services: Services): void {
  app.get(
    "/datasets/:dataset/members",
    (c) => serveMembers(services, c.req.raw, c.req.param("dataset")),
  );
  app.delete(
    "/datasets/:dataset/members/:member",
    (c) => removeMember(services, c.req.raw, c.req.param()),
  );
  app.post(
    "/datasets/:dataset/invitations",
    (c) => inviteMember(services, c.req.raw, c.req.param("dataset")),
  );
  app.delete(
    "/datasets/:dataset/invitations/:invitation",
    (c) => revokeInvitation(services, c.req.raw, c.req.param()),
  );
  app.post(
    "/datasets/:dataset/tables/:table/rename",
    (c) => renameTable(services, c.req.raw, c.req.param()),
  );
  refuseOtherMethods(app, "/datasets/:dataset/tables/:table/rename", ["POST"]);
  app.post("/invitations/accept", (c) => acceptInvitation(services, c.req.raw));
  refuseOtherMethods(app, "/datasets/:dataset/members", ["GET"]);
  refuseOtherMethods(app, "/datasets/:dataset/members/:member", ["DELETE"]);
  refuseOtherMethods(app, "/datasets/:dataset/invitations", ["POST"]);
  refuseOtherMethods(app, "/datasets/:dataset/invitations/:invitation", ["DELETE"]);
  refuseOtherMethods(app, "/invitations/accept", ["POST"]);
}

/** The routes of read-only keys. */
function serveReadOnlyKeys(app: HttpApp, services: Services): void {
  app.get("/datasets/:dataset/keys", (c) => serveKeys(services, c.req.raw, c.req.param("dataset")));
  app.post(
    "/datasets/:dataset/keys",
    (c) => createKey(services, c.req.raw, c.req.param("dataset")),
  );
  app.delete("/datasets/:dataset/keys/:key", (c) => revokeKey(services, c.req.raw, c.req.param()));
  app.post("/keys/session", (c) => openSession(services, c.req.raw));
  refuseOtherMethods(app, "/datasets/:dataset/keys", ["GET", "POST"]);
  refuseOtherMethods(app, "/datasets/:dataset/keys/:key", ["DELETE"]);
  refuseOtherMethods(app, "/keys/session", ["POST"]);
}
