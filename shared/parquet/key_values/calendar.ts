/**
 * Keys by which Spark and Hive tell that days and times were written in the hybrid calendar, or counted in a zone:
 * readers move the stored numbers by them (Spark, DataSourceUtils; Hive, HIVE-22589 and HIVE-25104).
 */
import { type KeyValue, physicalType } from "../format/metadata.ts";
import { parquetError } from "../format/parquet_error.ts";
import type { SchemaTree } from "../format/schema.ts";

const sparkVersion = "org.apache.spark.version";
const legacyDateTime = "org.apache.spark.legacyDateTime";
const legacyInt96 = "org.apache.spark.legacyINT96";
const sparkZone = "org.apache.spark.timeZone";
const hiveKeys = ["writer.time.zone", "writer.date.proleptic", "writer.zone.conversion.legacy"];

/** How a file's days and times are meant. */
export interface Calendar {
  /** The keys that say so, in order; readers of files without any take the numbers as they are. */
  keys: KeyValue[];
  /** Of the Spark that wrote the file; undefined where it was none. */
  version: string | undefined;
}

/** Keys of this group are written by {@link calendarKeys}. */
export const calendarKeyNames: readonly string[] = [
  sparkVersion,
  legacyDateTime,
  legacyInt96,
  sparkZone,
  ...hiveKeys,
];

/** What a file's keys say of its days and times; undefined where it has none. */
export function calendarOf(
  pairs: readonly KeyValue[] | undefined,
  { leaves }: SchemaTree,
): Calendar | undefined {
  const int96 = leaves.some(({ element }) => element.type === physicalType.INT96);
  const days = leaves.some(({ logical }) =>
    logical?.kind === "DATE" || logical?.kind === "TIMESTAMP"
  );
  if (!int96 && !days) return undefined;
  const valueOf = (key: string) => pairs?.find((pair) => pair.key === key)?.value;
  const has = (key: string) => pairs?.some((pair) => pair.key === key) ?? false;
  const version = valueOf(sparkVersion);
  const keys: KeyValue[] = [];
  if (version !== undefined) {
    // Spark before 3.0 (INT96: 3.1) knew no other calendar, and said nothing
    const oldDays = days && (has(legacyDateTime) || isBefore(version, 3, 0));
    const oldInt96 = int96 && (has(legacyInt96) || isBefore(version, 3, 1));
    if (oldDays) keys.push({ key: legacyDateTime, value: "" });
    if (oldInt96) keys.push({ key: legacyInt96, value: "" });
    const zone = valueOf(sparkZone);
    if ((oldDays || oldInt96) && zone !== undefined) keys.push({ key: sparkZone, value: zone });
  }
  for (const key of hiveKeys) {
    const value = valueOf(key);
    if (value !== undefined) keys.push({ key, value });
  }
  return { keys, version };
}

function isBefore(version: string, major: number, minor: number): boolean {
  const [, x, y] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  return x !== undefined && (Number(x) < major || (Number(x) === major && Number(y) < minor));
}

/** The text of the keys; equal for files whose numbers mean the same. "" where they are taken as they are. */
function calendarText(calendar: Calendar | undefined): string {
  const keys = calendar?.keys ?? [];
  return keys.length === 0
    ? ""
    : JSON.stringify(keys.map(({ key, value }) => [key, value ?? null]));
}

/** The calendar of two files together. Throws `schema_incompatible` where their numbers mean different days. */
export function uniteCalendars(
  one: Calendar | undefined,
  other: Calendar | undefined,
): Calendar | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  const [a, b] = [calendarText(one), calendarText(other)];
  if (a !== b) {
    throw parquetError(
      "schema_incompatible",
      `days and times are meant otherwise in the files: by the keys ${a || "(none)"} and ${
        b || "(none)"
      }`,
    );
  }
  const known = one.version !== undefined && other.version !== undefined;
  return { keys: one.keys, version: known ? lower(one.version!, other.version!) : undefined };
}

function lower(one: string, other: string): string {
  const numbers = (version: string) => version.split(/[.-]/).map(Number);
  const [a, b] = [numbers(one), numbers(other)];
  const at = a.findIndex((number, i) => number !== b[i]);
  return at === -1 || a[at] < (b[at] ?? -1) ? one : other;
}

/** The keys of an output. */
export function calendarKeys({ keys, version }: Calendar): KeyValue[] {
  return version === undefined ? keys : [{ key: sparkVersion, value: version }, ...keys];
}
