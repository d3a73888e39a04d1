/** JSON that is asked for again and again: whoever has it already is told so in a line. */
import { createHash } from "node:crypto";
import { listsTag } from "./lists_tag.ts";

/**
 * The answer with a weak ETag of its text, or 304 where the request's `If-None-Match` names that (RFC 9110 section 13.1.2).
 * What is personal stays with whom it is for: `private`, and asked for anew each time.
 */
export function taggedJson(request: Request, value: unknown): Response {
  const body = JSON.stringify(value);
  const etag = `W/"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
  const headers = { etag, "cache-control": "private, no-cache" };
  const known = request.headers.get("if-none-match");
  if (known !== null && listsTag(known, etag, "weak")) {
    return new Response(null, { status: 304, headers });
  }
  return new Response(body, { headers: { ...headers, "content-type": "application/json" } });
}
