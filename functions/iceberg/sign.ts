/** Remote signing: `POST /iceberg/v1/aws/s3/sign`, and of one table `…/tables/:table/sign`. */
import { SedimentError } from "../../shared/errors.ts";
import { readBody } from "../../shared/http/read_body.ts";
import { parseJson } from "../../shared/http/read_json.ts";
import { objectRead, signRead } from "../../shared/iceberg/sign_read.ts";
import { maxSignRequestBytes, signRequestSchema } from "../../shared/protocol/sign_request.ts";
import { validate } from "../../shared/protocol/validate.ts";
import { bodyLimits, type Services } from "../services.ts";
import { catalogCaller } from "./caller.ts";
import { knownName } from "./known_name.ts";
import { signingKey, storePlace } from "./store_access.ts";

/** RemoteSignResult, for what the caller may read now: the catalog is asked for each signature. */
export async function serveSign(
  services: Services,
  request: Request,
  asked: { namespace: string; table: string } | null,
): Promise<Response> {
  const caller = await catalogCaller(services, request);
  const key = signingKey(services);
  if (key === null) {
    throw new SedimentError("method_not_allowed", "Readers of this store sign by themselves", {
      field: "method",
      expected: "the credentials that a table is loaded with",
    });
  }
  const { env, catalog } = services;
  const limits = { ...bodyLimits(env), maxBytes: maxSignRequestBytes };
  const body = validate(signRequestSchema, parseJson(await readBody(request, limits), "body"));
  const place = { ...storePlace(services, request), bucket: env.SEDIMENT_BUCKET };
  const read = objectRead(body, place);
  await catalog.signLakeObject({
    user: caller.user,
    key: read.key,
    namespace: asked === null ? null : knownName(asked.namespace),
    table: asked === null ? null : knownName(asked.table),
  });
  const headers = await signRead(read, place, key);
  const lists = Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, [text]]));
  // the same one is good for what else is read of the object: Java's client keeps it for half a minute
  return Response.json({ uri: read.url, headers: lists }, {
    headers: { "cache-control": "private" },
  });
}
