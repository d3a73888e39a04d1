/**
 * `geo`, GeoParquet's description of the columns that are geometries (GeoParquet 1.1). A reader takes a column that it
 * names for a geometry and the same column of another file for bytes, so of files that differ in it no one is made.
 */
import { parquetError } from "../format/parquet_error.ts";
import type { SchemaTree } from "../format/schema.ts";
import { physicalType } from "../format/metadata.ts";

/** A geometry column as a file has it. */
interface GeoColumn {
  /** How its values are to be read: encoding, reference system and all else that is not of one file's rows. */
  reading: Record<string, unknown>;
  /** Empty where they are not known. */
  types: string[];
  bbox: number[] | undefined;
  /** Columns that hold each row's box, as JSON. */
  covering: string | undefined;
}

/** The geometry columns of one file. */
export interface Geo {
  version: string;
  primary: string;
  columns: Map<string, GeoColumn>;
}

/** Reads the value, as far as it speaks of columns that are there; undefined where it is not as specified. */
export function readGeo(value: string, tree: SchemaTree): Geo | undefined {
  try {
    const { version, primary_column, columns } = JSON.parse(value);
    if (typeof version !== "string") return undefined;
    const read = new Map<string, GeoColumn>();
    for (const [name, column] of Object.entries<Record<string, unknown>>(columns)) {
      if (!tree.root.children.some((child) => child.name === name)) continue;
      const { geometry_types, bbox, covering, ...reading } = column;
      read.set(name, {
        reading,
        types: Array.isArray(geometry_types) ? geometry_types.map(String) : [],
        bbox: isBox(bbox) ? bbox : undefined,
        covering: covering === undefined ? undefined : JSON.stringify(covering),
      });
    }
    if (read.size === 0) return undefined;
    const primary = read.has(primary_column) ? primary_column : [...read.keys()][0];
    return { version, primary, columns: read };
  } catch {
    return undefined;
  }
}

/** A box that does not span the antimeridian, which is said by its west being east of its east. */
function isBox(bbox: unknown): bbox is number[] {
  if (!Array.isArray(bbox) || (bbox.length !== 4 && bbox.length !== 6)) return false;
  const half = bbox.length / 2;
  return bbox.every((one) => typeof one === "number" && Number.isFinite(one)) &&
    bbox.slice(0, half).every((low, i) => low <= bbox[half + i]);
}

/** What a column is read as: the text of its reading, "" of one that is no geometry; by name. */
export function geoReadings(geo: Geo | undefined, tree: SchemaTree): Map<string, string> {
  const readings = new Map<string, string>();
  for (const { name, element, role, logical } of tree.root.children) {
    const column = geo?.columns.get(name);
    const isBytes = role === "leaf" && element.type === physicalType.BYTE_ARRAY &&
      logical === undefined;
    if (!isBytes && column === undefined) continue;
    readings.set(name, column === undefined ? "" : sortedText(column.reading));
  }
  return readings;
}

function sortedText(value: Record<string, unknown>): string {
  return JSON.stringify(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1));
}

/** Throws `schema_incompatible` where a column is read in two ways. */
export function checkReadings(
  known: ReadonlyMap<string, string>,
  readings: ReadonlyMap<string, string>,
): void {
  for (const [name, reading] of readings) {
    const before = known.get(name);
    if (before === undefined || before === reading) continue;
    throw parquetError(
      "schema_incompatible",
      before === "" || reading === ""
        ? "the column is a geometry in one file by its `geo` key, and bytes in another"
        : "the geometries of the column are to be read in two ways",
      { column: [name] },
    );
  }
}

/** The description of two files together, whose columns are read alike. */
export function uniteGeo(one: Geo, other: Geo): Geo {
  const columns = new Map(one.columns);
  for (const [name, column] of other.columns) {
    const before = columns.get(name);
    columns.set(name, before === undefined ? column : uniteColumns(before, column));
  }
  return {
    version: one.version > other.version ? one.version : other.version,
    primary: one.primary,
    columns,
  };
}

function uniteColumns(one: GeoColumn, other: GeoColumn): GeoColumn {
  const known = one.types.length > 0 && other.types.length > 0;
  return {
    reading: one.reading,
    types: known ? [...new Set([...one.types, ...other.types])].sort() : [],
    bbox: uniteBoxes(one.bbox, other.bbox),
    covering: one.covering === other.covering ? one.covering : undefined,
  };
}

function uniteBoxes(one?: number[], other?: number[]): number[] | undefined {
  if (one === undefined || one.length !== other?.length) return undefined;
  const half = one.length / 2;
  return one.map((value, i) => i < half ? Math.min(value, other[i]) : Math.max(value, other[i]));
}

/** The value of the key. */
export function geoText({ version, primary, columns }: Geo): string {
  const written = [...columns].map(([name, { reading, types, bbox, covering }]) => [name, {
    ...reading,
    geometry_types: types,
    ...(bbox !== undefined && { bbox }),
    ...(covering !== undefined && { covering: JSON.parse(covering) }),
  }]);
  return JSON.stringify({
    version,
    primary_column: primary,
    columns: Object.fromEntries(written),
  });
}
