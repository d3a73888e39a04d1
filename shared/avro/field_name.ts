import { invalid, printable, unsupported } from "./avro_error.ts";

/** Avro's grammar of names as its 1.12 reference implementation reads it: letters of any script. */
const grammar = /^[\p{L}_][\p{L}\p{N}_]{0,1023}$/u;

/**
 * A record field's name, checked: it becomes a column's, so it is held to the grammar, and to being the only
 * one of its record when case is ignored. (Names of types stay inside the schema and may be any text.)
 *
 * @param taken what was noted for the record's earlier fields; the name is added
 */
export function readFieldName(name: unknown, taken: Set<string>): string {
  if (typeof name !== "string" || !grammar.test(name)) {
    const seen = typeof name === "string" ? printable(name) : typeof name;
    throw invalid(`a field's name is not a name: ${seen}`);
  }
  if (taken.has(name)) throw invalid(`two fields are named ${printable(name)}`);
  const lower = ` ${name.toLowerCase()}`; // no name begins with a space
  if (taken.has(lower)) throw unsupported(`two fields differ from ${printable(name)} in case only`);
  taken.add(name).add(lower);
  return name;
}
