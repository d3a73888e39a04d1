import type { KeyValue } from "../format/metadata.ts";
import type { SchemaTree } from "../format/schema.ts";
import { schemaText } from "../format/schema_text.ts";
import { ArrowSchema } from "./arrow_schema.ts";
import {
  type Calendar,
  calendarKeyNames,
  calendarKeys,
  calendarOf,
  uniteCalendars,
} from "./calendar.ts";
import { checkReadings, type Geo, geoReadings, geoText, readGeo, uniteGeo } from "./geo.ts";
import { withoutRange } from "./pandas.ts";

/**
 * Keys that describe the schema: they hold for a merged file when all inputs have them with equal values, and its schema
 * is theirs.
 */
const equalKeys = [
  "avro.schema",
  "parquet.avro.schema",
  "iceberg.schema",
  "writer.model.name",
  "org.apache.spark.sql.parquet.row.metadata",
];

/** What is asked of a file's keys beside them. */
export interface KeyedFile {
  keyValues: readonly KeyValue[] | undefined;
  tree: SchemaTree;
  rowCount: number;
}

/**
 * The key-value metadata of a file made of others, each key by what it means (docs/merge.md has the table). It does not
 * change: {@link with} gives another one, which is kept once the file was taken.
 */
export class KeyValueUnion {
  /** The keys that all files have, with equal values; undefined before the first. */
  readonly #equal: ReadonlyMap<string, string> | undefined;
  /** The schema that the keys of the first file describe. */
  readonly #schema: string | undefined;
  readonly #arrow: ArrowSchema | undefined;
  readonly #pandas: string | undefined;
  readonly #geo: Geo | undefined;
  /** What each column of bytes is read as by `geo`. */
  readonly #readings: ReadonlyMap<string, string>;
  readonly #calendar: Calendar | undefined;

  private constructor(
    equal: ReadonlyMap<string, string> | undefined,
    schema: string | undefined,
    arrow: ArrowSchema | undefined,
    pandas: string | undefined,
    geo: Geo | undefined,
    readings: ReadonlyMap<string, string>,
    calendar: Calendar | undefined,
  ) {
    this.#equal = equal;
    this.#schema = schema;
    this.#arrow = arrow;
    this.#pandas = pandas;
    this.#geo = geo;
    this.#readings = readings;
    this.#calendar = calendar;
  }

  /** Of no file. */
  static readonly none = new KeyValueUnion(
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    new Map(),
    undefined,
  );

  /** With a further file. Throws `schema_incompatible` where its keys make readers read the same values otherwise. */
  with({ keyValues, tree, rowCount }: KeyedFile): KeyValueUnion {
    const valueOf = (key: string) => keyValues?.find((pair) => pair.key === key)?.value;
    const first = this.#equal === undefined;
    const equal = new Map<string, string>();
    for (const key of equalKeys) {
      const value = valueOf(key);
      if (value !== undefined && (first || this.#equal!.get(key) === value)) equal.set(key, value);
    }
    const arrowText = valueOf("ARROW:schema");
    const arrow = arrowText === undefined ? undefined : new ArrowSchema(arrowText);
    const sameArrow = arrow !== undefined && this.#arrow?.equals(arrow) === true;
    const pandasText = valueOf("pandas");
    const pandas = pandasText === undefined ? undefined : withoutRange(pandasText);
    // of a file without rows the keys bind nobody, and some writers leave them out
    const asked = rowCount > 0;
    const geoValue = asked ? valueOf("geo") : undefined;
    const geo = geoValue === undefined ? undefined : readGeo(geoValue, tree);
    const readings = asked ? geoReadings(geo, tree) : new Map<string, string>();
    checkReadings(this.#readings, readings);
    const calendar = asked
      ? uniteCalendars(this.#calendar, calendarOf(keyValues, tree))
      : this.#calendar;
    return new KeyValueUnion(
      equal,
      this.#schema ?? schemaText(tree),
      first ? arrow : sameArrow ? this.#arrow : undefined,
      first || pandas === this.#pandas ? pandas : undefined,
      geo === undefined || this.#geo === undefined ? this.#geo ?? geo : uniteGeo(this.#geo, geo),
      readings.size === 0 ? this.#readings : new Map([...this.#readings, ...readings]),
      calendar,
    );
  }

  /** The key-values of an output of this schema; undefined where there are none. */
  pairs(tree: SchemaTree): KeyValue[] | undefined {
    const pairs: KeyValue[] = [];
    const unchanged = schemaText(tree) === this.#schema;
    const arrow = unchanged ? this.#arrow?.value : undefined;
    if (arrow !== undefined) pairs.push({ key: "ARROW:schema", value: arrow });
    if (this.#pandas !== undefined && unchanged) pairs.push({ key: "pandas", value: this.#pandas });
    if (this.#geo !== undefined) pairs.push({ key: "geo", value: geoText(this.#geo) });
    if (unchanged) { for (const [key, value] of this.#equal ?? []) pairs.push({ key, value }); }
    if (this.#calendar !== undefined) pairs.push(...calendarKeys(this.#calendar));
    return pairs.length === 0 ? undefined : pairs;
  }
}

/**
 * What of a file's keys changes how its values are read, as a text for the planner: files of another one are made
 * another output. "" where nothing does, as of most.
 */
export function readingText({ keyValues, tree, rowCount }: KeyedFile): string {
  if (rowCount === 0 || keyValues === undefined) return "";
  const named = (key: string) => key === "geo" || calendarKeyNames.includes(key);
  if (!keyValues.some(({ key }) => named(key))) return "";
  const geoValue = keyValues.find(({ key }) => key === "geo")?.value;
  const geo = geoValue === undefined ? undefined : readGeo(geoValue, tree);
  const geometries = [...geoReadings(geo, tree)].filter(([, reading]) => reading !== "");
  const calendar = calendarOf(keyValues, tree)?.keys ?? [];
  if (geometries.length === 0 && calendar.length === 0) return "";
  return JSON.stringify({
    ...(geometries.length > 0 && { geo: geometries }),
    ...(calendar.length > 0 && { calendar: calendar.map(({ key, value }) => [key, value]) }),
  });
}
