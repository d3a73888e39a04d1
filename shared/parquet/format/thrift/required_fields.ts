import { brokenMetadata } from "./broken_metadata.ts";

/** A mask of field ids for `ThriftReader.note`. */
export function fields(...ids: number[]): number {
  return ids.reduce((mask, id) => mask | (1 << id), 0);
}

/** Throws `invalid_parquet` unless all `required` fields were noted in `seen`. */
export function requireFields(seen: number, required: number, what: string): void {
  const missing = required & ~seen;
  if (missing === 0) return;
  throw brokenMetadata(`${what} lacks the field ${31 - Math.clz32(missing)}, which it must have`);
}
