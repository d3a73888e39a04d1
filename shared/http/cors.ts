/** CORS: any origin, since every route is guarded by a token and none by a cookie. */

const allow: Record<string, string> = {
  "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
  "access-control-allow-headers":
    "authorization, apikey, x-client-info, content-type, idempotency-key, range, x-upload-token",
  "access-control-max-age": "86400",
};

/** The answer to a preflight request. */
export function preflight(): Response {
  const response = new Response(null, { status: 204, headers: allow });
  addCors(response.headers);
  return response;
}

/** Adds what every answer carries. */
export function addCors(headers: Headers): void {
  headers.set("access-control-allow-origin", "*");
  headers.set("access-control-expose-headers", "etag, content-range, retry-after");
}
