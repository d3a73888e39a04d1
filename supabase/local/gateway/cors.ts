/** CORS of the API services, as open as hosted: browsers of any origin may call them with a key. */

/** The answer to a preflight. */
export function preflight(request: Request): Response {
  return new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS",
      "access-control-allow-headers": request.headers.get("access-control-request-headers") ?? "*",
      "access-control-max-age": "3600",
    },
  });
}

/** The response, readable by any origin; its headers are changed in place where they can be. */
export function withCors(response: Response): Response {
  try {
    addCors(response.headers);
    return response;
  } catch {
    // Some responses (redirects, those of fetch) have headers that can't be changed.
    const copy = new Response(response.body, response);
    addCors(copy.headers);
    return copy;
  }
}

function addCors(headers: Headers): void {
  headers.set("access-control-allow-origin", "*");
  headers.set(
    "access-control-expose-headers",
    "etag, content-range, content-location, content-length, retry-after, x-total-count, link, " +
      "location, tus-resumable, upload-offset, upload-length, upload-metadata, upload-expires",
  );
}
