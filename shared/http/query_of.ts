/** The query of a request. */

/** Its parameters; of one that comes twice, the last. `apikey` is the gateway's, which some clients send there. */
export function queryOf(request: Request): Record<string, string> {
  const { apikey: _, ...query } = Object.fromEntries(new URL(request.url).searchParams);
  return query;
}
