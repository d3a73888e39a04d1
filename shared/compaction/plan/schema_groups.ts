/** Which files of a partition may meet in an output, by their schemas. */
import { isDeepStrictEqual } from "node:util";
import type { UnionOptions } from "../../parquet/merge/union/union_options.ts";
import type { SchemaJson } from "../../parquet/format/schema_json.ts";

/** Schemas that have a union without loss. */
export interface UnitedSchemas {
  /** The union, as the catalog keeps schemas. */
  schema: SchemaJson;
  /** Indices of the schemas that were given. */
  members: number[];
  /** Why they are not with an earlier group, in words; undefined for the first. */
  refusal?: string;
}

/** Splits schemas, in order, into groups that have a union; each schema is in exactly one. */
export type UniteSchemas = (
  schemas: readonly SchemaJson[],
  options?: UnionOptions,
) => UnitedSchemas[];

/** Fingerprints whose files may meet. */
export interface SchemaGroup {
  fingerprints: string[];
  /** What an output of files of several of the fingerprints is written in; undefined where there is one only. */
  schema?: SchemaJson;
  /** Those of the fingerprints whose schema is the union: their row groups can be copied. */
  asUnion?: ReadonlySet<string>;
  refusal?: string;
}

/**
 * Groups fingerprints by what `unite` says of their schemas. One whose schema isn't known stays apart. So do
 * schemas that don't have the same ones of the dedupe keys: a key that is missing would be null in all rows of
 * the file, and of equal keys only one row is kept. In a table of the lake so do schemas with a column of their own that is
 * called as one of the lake's, in any case: what is merged with them has no place there.
 *
 * @param fingerprints distinct, in upload order
 * @param dedupeKeys top-level columns
 * @param taken names that the lake's columns have
 */
export function groupSchemas(
  fingerprints: readonly string[],
  schemas: Readonly<Record<string, SchemaJson>>,
  dedupeKeys: readonly string[],
  unite: UniteSchemas,
  options?: UnionOptions,
  taken: readonly string[] = [],
): SchemaGroup[] {
  const alone = (fingerprint: string): SchemaGroup => ({ fingerprints: [fingerprint] });
  if (fingerprints.length < 2) return fingerprints.map(alone);
  const [known, unknown] = [true, false].map((is) =>
    fingerprints.filter((fingerprint) => Object.hasOwn(schemas, fingerprint) === is)
  );
  const inLake = new Set(taken.map((name) => name.toLowerCase()));
  const byKeys = Map.groupBy(known, (fingerprint) => {
    const names = new Set(schemas[fingerprint].children?.map(({ name }) => name));
    const clashes = [...names].some((name) => inLake.has(name.toLowerCase()));
    return dedupeKeys.map((key) => names.has(key) ? "1" : "0").join("") + (clashes ? "c" : "");
  });
  const united = [...byKeys.values()].flatMap((members, place) =>
    unite(members.map((fingerprint) => schemas[fingerprint]), options).map((group): SchemaGroup => {
      const refusal = group.refusal ??
        (place > 0 ? "not all have the dedupe keys, or a place for the lake's columns" : undefined);
      const fingerprints = group.members.map((index) => members[index]);
      return {
        fingerprints,
        ...(fingerprints.length > 1 && {
          schema: group.schema,
          asUnion: new Set(
            fingerprints.filter((one) => isDeepStrictEqual(schemas[one], group.schema)),
          ),
        }),
        ...(refusal !== undefined && { refusal }),
      };
    })
  );
  return [...united, ...unknown.map(alone)];
}
