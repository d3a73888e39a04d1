/** One spelling a field. Requests may use the older ones; answers carry theirs beside the new one where clients read it. */
import { SedimentError } from "../errors.ts";

/** The spelling of each older name of a field of a request: of the documents, and of clients in the field. */
export const olderSpellings: Readonly<Record<string, string>> = {
  datasetId: "dataset_id",
  tableId: "table",
  periodTag: "period_tag",
  kc_period_tag: "period_tag",
};

/** A request whose fields are spelled one way. */
export interface Respelled {
  value: unknown;
  /** How the sender spelled each field, where that is the older way. */
  sent: ReadonlyMap<string, string>;
}

/**
 * Spells the fields of a request one way; what is no object stays as it is.
 *
 * @throws SedimentError `invalid_request` when a field came in two spellings with two values
 */
export function respell(value: unknown): Respelled {
  const sent = new Map<string, string>();
  if (typeof value !== "object" || value === null || Array.isArray(value)) return { value, sent };
  const fields = new Map<string, unknown>();
  const given = Object.entries(value).filter(([, field]) => field !== undefined);
  for (const [name, field] of given) {
    if (!Object.hasOwn(olderSpellings, name)) fields.set(name, field);
  }
  for (const [name, field] of given) {
    if (!Object.hasOwn(olderSpellings, name)) continue;
    const spelled = olderSpellings[name]!;
    if (fields.has(spelled) && fields.get(spelled) !== field) {
      const other = sent.get(spelled) ?? spelled;
      throw new SedimentError("invalid_request", `\`${other}\` and \`${name}\` differ`, {
        field: name,
        expected: `the same value as \`${other}\`, or only one of them`,
      });
    }
    if (!fields.has(spelled)) sent.set(spelled, name);
    fields.set(spelled, field);
  }
  return { value: Object.fromEntries(fields), sent };
}
