import { SedimentError } from "../../shared/errors.ts";

/** A part of the path, where a namespace or a table may be called so; others are not there, and the catalog isn't asked. */
export function knownName(name: string): string {
  if (/^[\w-]{1,64}$/.test(name)) return name;
  throw new SedimentError("not_found", "There is no namespace or table of that name");
}
