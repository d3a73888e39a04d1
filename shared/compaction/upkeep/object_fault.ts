/** What is wrong with an object, as far as its size and ETag tell. */
import type { ListedObject } from "../../storage/object_store.ts";

/** What the catalog says of an object. */
export interface Said {
  object_key: string;
  size: number | null;
  etag: string | null;
}

/** What is wrong with it; the kinds: `store_findings`. */
export interface Fault {
  kind: "lost" | "changed" | "unknown" | "undead";
  detail: string;
  /** Visible data files of the object whose own bytes were looked at and are gone or changed. */
  files?: number[];
}

/** It is not there. */
export function lost(said: Said): Fault {
  return { kind: "lost", detail: `${said.size} bytes were stored` };
}

/** By what it differs; null: by nothing that is known of both. */
export function difference(found: Pick<ListedObject, "size" | "etag">, said: Said): Fault | null {
  if (said.size !== null && said.size !== found.size) {
    return { kind: "changed", detail: `${found.size} bytes, and ${said.size} were stored` };
  }
  // Some stores list no entity tags; an empty one says nothing.
  if (said.etag && found.etag && said.etag !== found.etag) {
    return { kind: "changed", detail: `ETag ${found.etag}, and ${said.etag} was stored` };
  }
  return null;
}
