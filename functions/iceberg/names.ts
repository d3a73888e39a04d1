/** Namespaces and tables: `GET /iceberg/v1/namespaces…`. */
import { SedimentError } from "../../shared/errors.ts";
import type { Services } from "../services.ts";
import { catalogCaller } from "./caller.ts";
import { knownName } from "./known_name.ts";

/** A namespace a dataset that the user may read; of a service the one of all datasets, `lake`. There are none within others. */
export async function serveNamespaces(services: Services, request: Request): Promise<Response> {
  const { user } = await catalogCaller(services, request);
  const isNested = (new URL(request.url).searchParams.get("parent") ?? "") !== "";
  const names = isNested ? [] : await namesOf(services, user, null);
  return Response.json({ namespaces: names.map((name) => [name]) });
}

/** Whether a namespace is there. */
export async function serveNamespace(
  services: Services,
  request: Request,
  namespace: string,
): Promise<Response> {
  const { user } = await catalogCaller(services, request);
  await namesOf(services, user, namespace);
  return Response.json({ namespace: [namespace], properties: {} });
}

/** The tables of a namespace. */
export async function serveTables(
  services: Services,
  request: Request,
  namespace: string,
): Promise<Response> {
  const { user } = await catalogCaller(services, request);
  const names = await namesOf(services, user, namespace);
  return Response.json({
    identifiers: names.map((name) => ({ namespace: [namespace], name })),
  });
}

async function namesOf(
  { catalog }: Services,
  user: string | null,
  namespace: string | null,
): Promise<string[]> {
  const { names, more } = await catalog.listLake({
    user,
    namespace: namespace === null ? null : knownName(namespace),
  });
  if (!more) return names;
  throw new SedimentError(
    "invalid_request",
    "there are over 1,000 of them: name the one you want",
    {
      field: "namespace",
      expected: "GET of one namespace or table",
    },
  );
}
