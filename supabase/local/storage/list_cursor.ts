/** The cursors of listings: the last key of a page, in base64. */
import { Buffer } from "node:buffer";

// Keys that come by the API are ASCII; SQL may have written others.
export function encodeCursor(key: string): string {
  return Buffer.from(key).toString("base64");
}

/** The key that a listing goes on after; empty for its beginning. */
export function decodeCursor(cursor: unknown): string {
  if (cursor === undefined || cursor === null || cursor === "") return "";
  return Buffer.from(String(cursor), "base64").toString("utf8");
}
