/** The sentences of a settings' schema: the comments that stand before its keys. */

/** A key of an object, and what its comment says. */
export interface DocumentedKey {
  name: string;
  /** The comment in one line; "" where there is none. */
  says: string;
  /** Its `@default`, where it is written and not known to the schema. */
  fallback?: string;
}

const key = /(?:\/\*\*([\s\S]*?)\*\/\s*)?^ {2}(?:"(\w+)"|(\w+)): /gm;

/**
 * The keys of an object literal whose lines are indented as `deno fmt` has them.
 *
 * @param source the file's text; @param opening what stands right before the first key, e.g. `= z.object({\n`
 */
export function documentedKeys(source: string, opening: string): DocumentedKey[] {
  const start = source.indexOf(opening);
  if (start < 0) throw new Error(`there is no ${opening}`);
  const body = source.slice(start + opening.length);
  const text = body.slice(0, body.search(/^\}/m));
  return [...text.matchAll(key)].map(([, comment = "", quoted, bare]) => ({
    name: quoted ?? bare!,
    says: comment.replace(/^\s*\* ?/gm, "").replace(/@default.*$/s, "").replace(/\s+/g, " ").trim(),
    fallback: /@default (\S+)/.exec(comment)?.[1],
  }));
}
