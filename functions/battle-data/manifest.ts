/** `GET /battle-data/chunks` and `GET /battle-data/latest`. */
import { readingUser } from "../../shared/http/authenticate.ts";
import { validate } from "../../shared/protocol/validate.ts";
import { packContent } from "../../shared/readers/file_content.ts";
import { queryOf } from "../../shared/http/query_of.ts";
import { manifestQuerySchema } from "../../shared/protocol/manifest.ts";
import { readManifest, type Signing } from "../../shared/readers/manifest.ts";
import { baseUrl, clientUrl, type Services } from "../services.ts";

/** A page of the manifest; `signed` is what holds when the query does not say. */
export async function serveManifest(
  services: Services,
  request: Request,
  defaults: { signed: boolean },
): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const query = validate(manifestQuerySchema, queryOf(request));
  const signed = query.signed === undefined
    ? defaults.signed
    : query.signed === "1" || query.signed === "true";
  const manifest = await readManifest(
    services.catalog,
    readingUser(caller),
    query,
    signed ? signing(services, request) : undefined,
  );
  return Response.json(manifest, { headers: { "cache-control": "no-store" } });
}

function signing(services: Services, request: Request): Signing {
  const { store, tokens } = services;
  return {
    store: {
      signDownloads: async (keys, seconds) => {
        const urls = await store.signDownloads(keys, seconds);
        return new Map(
          [...urls].map(([key, url]) => [key, url && clientUrl(services, request, url)]),
        );
      },
    },
    now: services.now(),
    sliceUrl(file, expiresAt) {
      const content = packContent({
        id: Number(file.id),
        objectKey: file.object_key,
        start: file.start_byte,
        length: file.byte_length,
      });
      const token = tokens.sign("content", content, expiresAt);
      return `${baseUrl(services, request)}/battle-data/files/${file.id}/content?token=${token}`;
    },
  };
}
