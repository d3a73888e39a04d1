import type { SchemaTree } from "../../../shared/parquet/format/schema.ts";
import type { SchemaJson } from "../../../shared/parquet/format/schema_json.ts";
import { schemaFromJson } from "../../../shared/parquet/merge/union/schema_from_json.ts";

/** Physical types of logical ones, where the text does not say. */
const storage: Record<string, string> = {
  STRING: "BYTE_ARRAY",
  ENUM: "BYTE_ARRAY",
  JSON: "BYTE_ARRAY",
  BSON: "BYTE_ARRAY",
  GEOMETRY: "BYTE_ARRAY",
  DATE: "INT32",
  TIMESTAMP: "INT64",
  UUID: "FIXED_LEN_BYTE_ARRAY(16)",
  FLOAT16: "FIXED_LEN_BYTE_ARRAY(2)",
  INTERVAL: "FIXED_LEN_BYTE_ARRAY(12)",
};

const physical = ["BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY"];

type Repetition = NonNullable<SchemaJson["repetition"]>;

/** A schema from the text that `schemaText` makes, with lists and maps of three levels. */
export function schemaOf(text: string): SchemaTree {
  let at = 0;
  const take = (expected: string) => {
    if (text.slice(at, at + expected.length) !== expected) {
      throw new Error(`${expected} expected at ${at} of ${text}`);
    }
    at += expected.length;
  };
  const fields = (): SchemaJson[] => {
    const all: SchemaJson[] = [];
    while (at < text.length && text[at] !== "}") {
      if (all.length > 0) take(",");
      take('"');
      const end = text.indexOf('"', at);
      const name = text.slice(at, end);
      at = end;
      take('":');
      all.push(value(name));
    }
    return all;
  };
  const value = (name: string): SchemaJson => {
    const type = typeAt(name);
    const kind = { "!": "required", "?": "optional", "*": "repeated" }[text[at++]];
    return { ...type, repetition: kind as Repetition };
  };
  const typeAt = (name: string): SchemaJson => {
    if (text.startsWith("list<", at)) {
      take("list<");
      const element = value("element");
      take(">");
      const list: SchemaJson = { name: "list", repetition: "repeated", children: [element] };
      return { name, logical: "LIST", children: [list] };
    }
    if (text.startsWith("map<", at)) {
      take("map<");
      const key = value("key");
      take(",");
      const entries = [key, value("value")];
      take(">");
      return {
        name,
        logical: "MAP",
        children: [{ name: "key_value", repetition: "repeated", children: entries }],
      };
    }
    const [word] = /^[A-Z0-9_]*(\((?:"(?:\\.|[^"\\])*"|[^)])*\))?/.exec(text.slice(at))!;
    at += word.length;
    const [suffix, stored] = /^:([A-Z0-9_]+(?:\(\d+\))?)/.exec(text.slice(at)) ?? ["", undefined];
    at += suffix.length;
    if (text[at] === "{") {
      take("{");
      const children = fields();
      take("}");
      return { name, ...(word !== "" && { logical: word }), children };
    }
    const [base, parameter] = word.split(/[(),]/);
    if (physical.includes(base) || base === "FIXED_LEN_BYTE_ARRAY") return { name, type: word };
    let type = stored ?? storage[base];
    if (base === "INTEGER") type = parameter === "64" ? "INT64" : "INT32";
    if (base === "TIME") type = parameter === "MILLIS" ? "INT32" : "INT64";
    return { name, type, logical: word };
  };
  return schemaFromJson({ name: "schema", children: fields() });
}
