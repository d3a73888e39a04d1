import { at, avroError, invalid, printable, unsupported } from "./avro_error.ts";
import { readFieldName } from "./field_name.ts";
import type { AvroLimits } from "./limits.ts";
import { logicalTypeOf } from "./logical_type.ts";
import { Names } from "./names.ts";
import type { AvroField, AvroRecord, AvroType, PrimitiveKind } from "./schema.ts";

/** Fewest bytes of a value of each primitive type (Avro 1.12, "Primitive Types", binary encoding). */
const primitives: Record<PrimitiveKind, number> = {
  null: 0,
  boolean: 1,
  int: 1,
  long: 1,
  float: 4,
  double: 8,
  bytes: 1,
  string: 1,
};

/**
 * Reads a schema's JSON. Why not avsc: it compiles record types with `new Function` from what a stranger
 * wrote, needs node's stream, zlib and crypto, and keeps no account of a schema's expanded size. Defaults,
 * aliases, docs and orders play no part: only the writer's schema is ever used.
 *
 * @param text the metadata value `avro.schema`
 * @returns the root record
 * @throws invalid_avro for what the specification forbids; unsupported_avro for a root that is no record,
 *   a recursive type, or a schema over a limit. Both name the path inside the schema.
 */
export function parseSchema(text: Uint8Array, limits: AvroLimits): AvroRecord {
  if (text.length > limits.schemaBytes) {
    throw avroError(
      "unsupported_avro",
      `the schema has ${text.length} bytes, over the limit of ${limits.schemaBytes}`,
    );
  }
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
  } catch (cause) {
    throw avroError("invalid_avro", "the schema is not JSON in UTF-8", {}, cause);
  }
  const root = new SchemaParser(limits).parse(json);
  if (root.kind !== "record") {
    throw avroError(
      "unsupported_avro",
      `the schema's root is of type ${root.kind}; a table needs a record`,
    );
  }
  return root;
}

class SchemaParser {
  readonly #limits: AvroLimits;
  readonly #names = new Names();
  /** Types read so far, so that a wide schema is refused before all of it is turned into objects. */
  #seen = 0;

  constructor(limits: AvroLimits) {
    this.#limits = limits;
  }

  parse(json: unknown): AvroType {
    return this.#type(json, "", 1, "");
  }

  #type(json: unknown, path: string, depth: number, namespace: string): AvroType {
    const { schemaDepth, schemaNodes, listDepth } = this.#limits;
    return at({ path }, () => {
      this.#seen++;
      if (depth > schemaDepth) throw this.#tooDeep();
      if (this.#seen > schemaNodes) throw this.#tooWide();
      const type = this.#typeInside(json, path, depth, namespace);
      if (type.nodes > schemaNodes) throw this.#tooWide();
      if (depth + type.depth - 1 > schemaDepth) throw this.#tooDeep();
      if (type.lists > listDepth) {
        throw unsupported(`more than ${listDepth} lists and maps are nested in one another`);
      }
      return type;
    });
  }

  #typeInside(json: unknown, path: string, depth: number, namespace: string): AvroType {
    if (typeof json === "string") return this.#named(json, namespace);
    if (Array.isArray(json)) return this.#union(json, path, depth, namespace);
    if (typeof json !== "object" || json === null) {
      throw invalid(`a type is a string, an object or an array, not ${String(json)}`);
    }
    const attributes = json as Record<string, unknown>;
    switch (attributes.type) {
      case "record":
      case "error":
        return this.#record(attributes, path, depth, namespace);
      case "enum":
        return this.#enum(attributes, namespace);
      case "fixed":
        return this.#fixed(attributes, namespace);
      case "array": {
        const items = this.#type(attributes.items, `${path}[]`, depth + 1, namespace);
        return {
          kind: "array",
          items,
          nodes: items.nodes + 1,
          depth: items.depth + 1,
          lists: items.lists + 1,
          minBytes: 1,
        };
      }
      case "map": {
        const values = this.#type(attributes.values, `${path}{}`, depth + 1, namespace);
        return {
          kind: "map",
          values,
          nodes: values.nodes + 2, // the keys are a column too
          depth: values.depth + 1,
          lists: values.lists + 1,
          minBytes: 1,
        };
      }
    }
    if (typeof attributes.type !== "string") {
      // {"type": {"type": …}}: not in the specification, but every implementation reads it
      return this.#type(attributes.type, path, depth + 1, namespace);
    }
    const type = this.#named(attributes.type, namespace);
    if (!(type.kind in primitives)) return type;
    const kind = type.kind as PrimitiveKind;
    return { ...primitive(kind), logical: logicalTypeOf(attributes, kind) };
  }

  #named(name: string, namespace: string): AvroType {
    if (Object.hasOwn(primitives, name)) return primitive(name as PrimitiveKind);
    return this.#names.resolve(name, namespace);
  }

  #record(
    attributes: Record<string, unknown>,
    path: string,
    depth: number,
    namespace: string,
  ): AvroType {
    const own = this.#names.define(attributes, namespace);
    if (!Array.isArray(attributes.fields)) {
      throw invalid(`record ${printable(own.full)} lacks fields`);
    }
    const taken = new Set<string>();
    const fields: AvroField[] = [];
    let nodes = 1, deepest = 0, lists = 0, minBytes = 0;
    for (const entry of attributes.fields as unknown[]) {
      const field = (entry ?? {}) as Record<string, unknown>;
      const name = readFieldName(field.name, taken);
      const inside = path === "" ? name : `${path}.${name}`;
      const type = this.#type(field.type, inside, depth + 1, own.namespace);
      nodes += type.nodes;
      minBytes += type.minBytes;
      deepest = Math.max(deepest, type.depth);
      lists = Math.max(lists, type.lists);
      fields.push({ name, type });
    }
    if (fields.length === 0) {
      throw unsupported(`record ${printable(own.full)} has no fields; Parquet has no empty group`);
    }
    const record = { kind: "record" as const, name: own.full, fields, nodes, lists, minBytes };
    return this.#names.finish(own.full, { ...record, depth: deepest + 1 });
  }

  #enum(attributes: Record<string, unknown>, namespace: string): AvroType {
    const name = this.#names.define(attributes, namespace).full;
    const symbols = attributes.symbols;
    if (!Array.isArray(symbols) || !symbols.every((symbol) => typeof symbol === "string")) {
      throw invalid(`the symbols of enum ${printable(name)} are not a list of strings`);
    }
    if (new Set(symbols).size !== symbols.length) {
      throw invalid(`enum ${printable(name)} has a symbol twice`);
    }
    return this.#names.finish(name, {
      kind: "enum",
      name,
      symbols,
      nodes: 1,
      depth: 1,
      lists: 0,
      minBytes: 1,
    });
  }

  #fixed(attributes: Record<string, unknown>, namespace: string): AvroType {
    const name = this.#names.define(attributes, namespace).full;
    const size = attributes.size;
    if (typeof size !== "number" || !Number.isInteger(size) || size < 0 || size > 0x7fffffff) {
      throw invalid(`the size of fixed ${printable(name)} is not a count of bytes`);
    }
    if (size === 0) {
      throw unsupported(`fixed ${printable(name)} has no bytes; Parquet has no such type`);
    }
    const logical = logicalTypeOf(attributes, "fixed", size);
    const type = {
      kind: "fixed" as const,
      name,
      size,
      logical,
      nodes: 1,
      depth: 1,
      lists: 0,
      minBytes: size,
    };
    return this.#names.finish(name, type);
  }

  #union(json: unknown[], path: string, depth: number, namespace: string): AvroType {
    if (json.length === 0) throw invalid("a union has no branches");
    if (json.length > 255) {
      throw unsupported(`a union has ${json.length} branches, over the limit of 255`);
    }
    const branches: AvroType[] = [];
    const seen = new Set<string>();
    let nodes = 1, deepest = 0, lists = 0, minBytes = Infinity;
    const single = json.filter((entry) => !isNull(entry)).length < 2;
    let member = 0;
    for (const entry of json) {
      if (Array.isArray(entry)) throw invalid("a union stands directly in a union");
      const inside = single || isNull(entry) ? path : `${path}.member${member++}`;
      const type = this.#type(entry, inside, depth + 1, namespace);
      const key = "name" in type ? `named ${type.name}` : type.kind;
      if (seen.has(key)) throw invalid(`a union has ${printable(key)} twice`);
      seen.add(key);
      nodes += type.nodes;
      deepest = Math.max(deepest, type.depth);
      lists = Math.max(lists, type.lists);
      minBytes = Math.min(minBytes, 1 + type.minBytes);
      branches.push(type);
    }
    return { kind: "union", branches, nodes, depth: deepest + 1, lists, minBytes };
  }

  #tooDeep() {
    return unsupported(`the schema is nested deeper than ${this.#limits.schemaDepth} levels`);
  }

  #tooWide() {
    return unsupported(`the schema has more than ${this.#limits.schemaNodes} types`);
  }
}

function isNull(json: unknown): boolean {
  return json === "null" || (json as { type?: unknown } | null)?.type === "null";
}

function primitive(kind: PrimitiveKind) {
  return { kind, nodes: 1, depth: 1, lists: 0, minBytes: primitives[kind] };
}
