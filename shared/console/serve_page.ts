/** The console's files over HTTP, with the headers that keep them to themselves. */
import { createHash } from "node:crypto";
import { listsTag } from "../http/lists_tag.ts";

/** Files by name, each in gzip and base64 (`page_assets.ts`). */
export type PageAssets = Readonly<Record<string, string>>;

const types: Record<string, string> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
};

/** What the page may do: its own scripts, its own origin, in nobody's frame. */
export const pagePolicy = [
  "default-src 'none'",
  // the reader's kernels are wasm
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** A file as it is answered. */
export interface PageFile {
  status: 200 | 304;
  headers: Record<string, string>;
  body: Uint8Array | null;
}

/**
 * The file of a path, or undefined where there is none.
 *
 * @param path `/console`, `/console/console.js`, …
 * @param known the request's `If-None-Match`
 */
export function pageFile(
  assets: PageAssets,
  path: string,
  known: string | null,
): PageFile | undefined {
  const name = path.replace(/^\/console\/?/, "") || "index.html";
  if (!Object.hasOwn(assets, name)) return undefined;
  const etag = `"${createHash("sha256").update(assets[name]).digest("base64url").slice(0, 22)}"`;
  const headers = {
    "content-type": types[name.split(".").at(-1)!],
    "content-encoding": "gzip",
    "content-security-policy": pagePolicy,
    "cache-control": "no-cache",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    etag,
  };
  if (known !== null && listsTag(known, etag, "weak")) return { status: 304, headers, body: null };
  return {
    status: 200,
    headers,
    body: Uint8Array.from(atob(assets[name]), (c) => c.charCodeAt(0)),
  };
}
