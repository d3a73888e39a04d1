import { invalid, printable, unsupported } from "./avro_error.ts";
import type { AvroType } from "./schema.ts";

/** A named type's fullname and the namespace that its insides inherit. */
export interface FullName {
  full: string;
  namespace: string;
}

/**
 * The named types of one schema (Avro 1.12, "Names"): each is defined once, before it is used. What stands
 * between {@link Names.define} and {@link Names.finish} is inside the type's own definition, so a reference
 * to it from there is recursion.
 */
export class Names {
  readonly #types = new Map<string, AvroType | "open">();

  /**
   * Notes the beginning of a definition.
   *
   * @param namespace that of the enclosing definition
   */
  define(attributes: Record<string, unknown>, namespace: string): FullName {
    const name = fullNameOf(attributes, namespace);
    if (this.#types.has(name.full)) throw invalid(`type ${printable(name.full)} is defined twice`);
    this.#types.set(name.full, "open");
    return name;
  }

  /** Notes the end of a definition and gives the type back. */
  finish(full: string, type: AvroType): AvroType {
    this.#types.set(full, type);
    return type;
  }

  /**
   * The type that a reference means: with a dot a fullname, else a name in the enclosing namespace. Where
   * that has none, the null namespace is asked too: Java writes such references without a mark.
   */
  resolve(name: string, namespace: string): AvroType {
    const local = name.includes(".") || namespace === "" ? name : `${namespace}.${name}`;
    const type = this.#types.get(local) ?? this.#types.get(name);
    if (type === undefined) throw invalid(`type ${printable(name)} is not defined before its use`);
    if (type === "open") {
      throw unsupported(`type ${printable(name)} contains itself; recursive types have no columns`);
    }
    return type;
  }
}

function fullNameOf(attributes: Record<string, unknown>, enclosing: string): FullName {
  const { name, namespace } = attributes;
  if (typeof name !== "string" || name === "" || name.length > 1024) {
    throw invalid(`a ${printable(String(attributes.type))} has no name`);
  }
  const dot = name.lastIndexOf(".");
  if (dot >= 0) return { full: name, namespace: name.slice(0, dot) };
  const space = typeof namespace === "string" ? namespace : enclosing;
  if (space.length > 1024) throw invalid(`the namespace of ${printable(name)} is too long`);
  return { full: space === "" ? name : `${space}.${name}`, namespace: space };
}
