/**
 * A fetch that tells how many bytes of the body have left: browsers tell that of XMLHttpRequest alone. Anywhere else
 * `fetch` is what there is, and a body counts when it was answered.
 */
/** A fetch that tells of progress. */
export type CountingFetch = (
  url: string,
  init: RequestInit,
  onSent: (bytes: number) => void,
) => Promise<Response>;

/** The browser's, or null where there is none. */
export function xhrFetch(): CountingFetch | null {
  if (typeof globalThis.XMLHttpRequest !== "function") return null;
  return (url, init, onSent) =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const { signal } = init;
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => request.abort();
      signal?.addEventListener("abort", onAbort, { once: true });
      const end = () => signal?.removeEventListener("abort", onAbort);
      request.open(init.method ?? "GET", url);
      for (const [name, value] of new Headers(init.headers)) request.setRequestHeader(name, value);
      request.upload.onprogress = ({ loaded }) => onSent(loaded);
      request.onload = () => {
        end();
        resolve(responseOf(request, url));
      };
      request.onerror = () => {
        end();
        reject(new TypeError("Failed to fetch"));
      };
      request.onabort = () => {
        end();
        reject(signal?.reason ?? new DOMException("aborted", "AbortError"));
      };
      request.send(init.body as XMLHttpRequestBodyInit);
    });
}

function responseOf(request: XMLHttpRequest, url: string): Response {
  // It follows redirects by itself: whatever answered in the end is not who was asked, as `redirect: "manual"` has it.
  if (request.responseURL !== "" && request.responseURL !== new URL(url).href) {
    return new Response(null, { status: 204, headers: { "x-redirected": "1" } });
  }
  const headers = new Headers();
  for (const line of request.getAllResponseHeaders().trim().split(/[\r\n]+/)) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const { status } = request;
  const bodiless = status === 204 || status === 205 || status === 304;
  return new Response(bodiless ? null : request.responseText, { status, headers });
}
