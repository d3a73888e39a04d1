import type { Logical } from "../../format/logical_text.ts";
import { spelled } from "../../format/spelling.ts";
import {
  physicalType,
  repetition,
  type SchemaElement,
  type TimeUnit,
} from "../../format/metadata.ts";
import { parquetError } from "../../format/parquet_error.ts";
import { type SchemaTree, schemaTree } from "../../format/schema.ts";
import type { SchemaJson } from "../../format/schema_json.ts";

/**
 * The tree of a schema as the catalog keeps it (`schemaJson`): enough to plan and to write by. Throws
 * `invalid_parquet` for what `schemaJson` does not make.
 */
export function schemaFromJson(json: SchemaJson): SchemaTree {
  const elements: SchemaElement[] = [];
  collect(json, elements, true);
  return schemaTree(elements);
}

const repetitions = {
  required: repetition.REQUIRED,
  optional: repetition.OPTIONAL,
  repeated: repetition.REPEATED,
};

function collect(json: SchemaJson, elements: SchemaElement[], isRoot: boolean): void {
  const [, typeName, length] = /^(\w+)(?:\((\d+)\))?$/.exec(json.type ?? "") ?? [];
  const logical = json.logical === undefined ? undefined : logicalFromText(json.logical);
  const isDecimal = logical?.kind === "DECIMAL";
  elements.push({
    type: json.type === undefined
      ? undefined
      : physicalType[typeName as keyof typeof physicalType] ?? -1,
    typeLength: length === undefined ? undefined : Number(length),
    repetition: isRoot ? undefined : repetitions[json.repetition ?? "required"],
    name: json.name,
    numChildren: json.children?.length,
    convertedType: undefined,
    scale: isDecimal ? logical.scale : undefined,
    precision: isDecimal ? logical.precision : undefined,
    fieldId: json.field_id,
    logicalType: undefined,
    ...(logical !== undefined && spelled(logical, json.spelling ?? "")),
  });
  for (const child of json.children ?? []) collect(child, elements, false);
}

/** The inverse of `logicalText`. */
function logicalFromText(text: string): Logical {
  const [, kind, inner = ""] = /^([A-Z0-9]+)(?:\((.*)\))?$/s.exec(text) ?? [];
  const parts = inner.split(",");
  switch (kind) {
    case "STRING":
    case "MAP":
    case "LIST":
    case "ENUM":
    case "DATE":
    case "UNKNOWN":
    case "JSON":
    case "BSON":
    case "UUID":
    case "FLOAT16":
    case "INTERVAL":
      return { kind };
    case "DECIMAL":
      return { kind, precision: Number(parts[0]), scale: Number(parts[1]) };
    case "TIME":
    case "TIMESTAMP":
      return { kind, unit: parts[0] as TimeUnit, utc: parts[1] === "UTC" };
    case "INTEGER":
      return { kind, bitWidth: Number(parts[0]), signed: parts[1] === "SIGNED" };
    case "OTHER":
      return { kind, id: Number(parts[0]), member: parts[1] ?? "" };
    case "VARIANT":
      return { kind, version: inner === "" ? undefined : Number(inner) };
    case "GEOMETRY":
      return { kind, crs: inner === "" ? undefined : JSON.parse(inner) };
    case "GEOGRAPHY": {
      const [crs, algorithm] = JSON.parse(`[${inner.replace(/,$/, ",null")}]`);
      return { kind, crs: crs === "" ? undefined : crs, algorithm: algorithm ?? undefined };
    }
  }
  throw parquetError("invalid_parquet", `there is no logical type ${text.slice(0, 80)}`);
}
