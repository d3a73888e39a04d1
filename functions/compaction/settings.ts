/** `GET` and `PATCH /compaction/settings`: what the deployment, single tables and users go by. */
import { SedimentError } from "../../shared/errors.ts";
import { readJson } from "../../shared/http/read_json.ts";
import { queryOf } from "../../shared/http/query_of.ts";
import { taggedJson } from "../../shared/http/tagged_json.ts";
import { changeSettingsSchema, settingsQuerySchema } from "../../shared/protocol/console.ts";
import { validate } from "../../shared/protocol/validate.ts";
import { bodyLimits, type Services } from "../services.ts";

/** The settings with what they mean, what is hardly meant, and who changed them. */
export async function serveSettings(services: Services, request: Request): Promise<Response> {
  await services.auth.service(request);
  const { dataset_id, table, user_id } = validate(settingsQuerySchema, queryOf(request));
  const settings = await services.catalog.readSettings({
    dataset: dataset_id ?? null,
    table: table ?? null,
    ofUser: user_id ?? null,
  });
  return taggedJson(request, settings);
}

/** Changes some, all or none; the catalog checks them, and writes down whose key it was. */
export async function changeSettings(services: Services, request: Request): Promise<Response> {
  // of services those that may act for users: the key that cron holds opens no settings
  const caller = await services.auth.userOrService(request);
  if (caller.kind !== "service" || caller.onBehalfOf !== null) {
    throw new SedimentError("forbidden", "Settings are the deployment's", {
      field: "apikey",
      expected: "a secret key, for no user",
    });
  }
  const { dataset_id, table, user_id, changes, reset } = await readJson(
    request,
    changeSettingsSchema,
    bodyLimits(services.env),
  );
  const settings = table !== undefined
    ? "table_settings"
    : user_id !== undefined
    ? "user_limits"
    : "service_settings";
  const { changed, refused } = await services.catalog.changeSettings({
    settings,
    changes: changes ?? {},
    reset: reset ?? [],
    dataset: dataset_id ?? null,
    table: table ?? null,
    ofUser: user_id ?? null,
    by: `key ${caller.keyName}`,
  });
  if (refused !== null) {
    throw new SedimentError("invalid_config", `${refused.field}: ${refused.why}`, {
      field: refused.field,
      expected: refused.expected,
    });
  }
  return Response.json({ settings, changed });
}
