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
 * Passes a request on to a server behind. Bodies are streamed, but for those that are smaller than a stream.
 *
 * @param target full URL there
 * @param authorization replaces what the client sent; undefined removes it
 * @param added further headers
 */
export async function proxy(
  request: Request,
  target: string,
  authorization: string | undefined,
  added: Record<string, string> = {},
): Promise<Response> {
  const headers = forwardedHeaders(request.headers, authorization);
  for (const [name, value] of Object.entries(added)) headers.set(name, value);
  const hasBody = request.method !== "GET" && request.method !== "HEAD" && request.body !== null;
  let response: Response;
  let body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null;
  try {
    response = await fetch(target, {
      method: request.method,
      headers,
      body: hasBody ? await bodyOf(request) : undefined,
      redirect: "manual",
    });
  } catch (error) {
    return Response.json({ message: `the service behind does not answer: ${error}` }, {
      status: 502,
    });
  }
  try {
    body = await bodyOf(response);
  } catch (error) {
    return Response.json({ message: `the service behind broke its answer off: ${error}` }, {
      status: 502,
    });
  }
  const answer = new Headers(response.headers);
  for (const name of ["connection", "keep-alive", "transfer-encoding"]) answer.delete(name);
  // fetch has decoded the body: it has neither this coding any more nor this length
  if (answer.has("content-encoding")) {
    for (const name of ["content-encoding", "content-length"]) answer.delete(name);
  }
  return new Response(body, { status: response.status, headers: answer });
}

/** The body at once where its length says that it is small: a stream costs more than that. */
function bodyOf(message: Request | Response) {
  const declared = message.headers.get("content-length");
  const small = declared !== null && Number(declared) <= 64 * 1024;
  // without a body (HEAD, 204) it is no empty one
  return small && message.body !== null ? message.bytes() : message.body;
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
