/** Namespaces and tables: `GET /iceberg/v1/namespaces…`. */
import { SedimentError } from "../../shared/errors.ts";
import { type LakePage, lakePageSchema, maxLakePage } from "../../shared/protocol/lake_page.ts";
import { validate } from "../../shared/protocol/validate.ts";
import type { Services } from "../services.ts";
import { catalogCaller } from "./caller.ts";
import { knownName } from "./known_name.ts";

/** A namespace a dataset that the user may read; of a service the one of all datasets, `lake`. There are none within others. */
export async function serveNamespaces(services: Services, request: Request): Promise<Response> {
  const { user } = await catalogCaller(services, request);
  const isNested = (new URL(request.url).searchParams.get("parent") ?? "") !== "";
  if (isNested) return Response.json({ namespaces: [], "next-page-token": null });
  const { names, next } = await namesOf(services, user, null, pageOf(request));
  return Response.json({ namespaces: names.map((name) => [name]), "next-page-token": next });
}

/** Whether a namespace is there. */
export async function serveNamespace(
  services: Services,
  request: Request,
  namespace: string,
): Promise<Response> {
  const { user } = await catalogCaller(services, request);
  await services.catalog.listLake({ user, namespace: knownName(namespace), limit: 1 });
  return Response.json({ namespace: [namespace], properties: {} });
}

/** The tables of a namespace. */
export async function serveTables(
  services: Services,
  request: Request,
  namespace: string,
): Promise<Response> {
  const { user } = await catalogCaller(services, request);
  const found = await namesOf(services, user, knownName(namespace), pageOf(request));
  return Response.json({
    identifiers: found.names.map((name) => ({ namespace: [namespace], name })),
    "next-page-token": found.next,
  });
}

function pageOf(request: Request): LakePage {
  const { searchParams } = new URL(request.url);
  const asked = ["pageToken", "pageSize"].flatMap((name) => {
    const text = searchParams.get(name);
    return text === null ? [] : [[name, text]];
  });
  return validate(lakePageSchema, Object.fromEntries(asked));
}

/** Pages that are put together for a client that does not ask for pages, to whom the specification gives all in one. */
const mostPages = 10;

/** A page, or all; the token of the next page is its last name. */
async function namesOf(
  { catalog }: Services,
  user: string | null,
  namespace: string | null,
  { pageToken, pageSize }: LakePage,
): Promise<{ names: string[]; next: string | null }> {
  const isPaged = pageToken !== undefined;
  const limit = isPaged ? Math.min(pageSize ?? maxLakePage, maxLakePage) : maxLakePage;
  const names: string[] = [];
  let after = pageToken === undefined || pageToken === "" ? null : pageToken;
  for (let page = 0; page < mostPages; page++) {
    const found = await catalog.listLake({ user, namespace, after, limit });
    names.push(...found.names);
    after = found.more ? found.names.at(-1)! : null;
    if (after === null || isPaged) return { names, next: after };
  }
  throw new SedimentError("invalid_request", `There are over ${mostPages * maxLakePage} of them`, {
    field: "pageToken",
    expected: "an empty one for the first page, and the last answer's next-page-token then",
  });
}
