/** Headers that belong to one connection (RFC 9110 §7.6.1), and those that fetch sets itself. */
const hopByHop = [
  "connection",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "content-length",
];

/**
 * Passes a request on to a server behind, streaming both bodies.
 *
 * @param target full URL there
 * @param authorization replaces what the client sent; undefined removes it
 */
export async function proxy(
  request: Request,
  target: string,
  authorization: string | undefined,
): Promise<Response> {
  const headers = forwardedHeaders(request.headers, authorization);
  const hasBody = request.method !== "GET" && request.method !== "HEAD" && request.body !== null;
  let response: Response;
  try {
    response = await fetch(target, {
      method: request.method,
      headers,
      body: hasBody ? request.body : undefined,
      redirect: "manual",
    });
  } catch (error) {
    return Response.json({ message: `the service behind does not answer: ${error}` }, {
      status: 502,
    });
  }
  const answer = new Headers(response.headers);
  for (const name of ["connection", "keep-alive", "transfer-encoding"]) answer.delete(name);
  return new Response(response.body, { status: response.status, headers: answer });
}

/** The client's headers for the service behind: no connection headers, no API key, our Authorization. */
export function forwardedHeaders(from: Headers, authorization: string | undefined): Headers {
  const headers = new Headers(from);
  for (const name of hopByHop) headers.delete(name);
  headers.delete("apikey");
  headers.delete("authorization");
  if (authorization) headers.set("authorization", authorization);
  return headers;
}
