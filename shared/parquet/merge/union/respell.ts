import type { SchemaElement } from "../../format/metadata.ts";
import { type SchemaNode, type SchemaTree, schemaTree } from "../../format/schema.ts";
import { spelled, spellingOf } from "../../format/spelling.ts";
import { elementsOf } from "../../write/schema_elements.ts";
import { type FieldView, fieldView } from "./field_view.ts";

/**
 * How an output's columns are spelled (format/spelling.ts): each as the first file spells it that has it. A schema of
 * the catalog may be older than the knowledge of spellings, and the files' own footers are what readers go by.
 */
export class OutputSpelling {
  /** Elements of the output, by the node's place in the flat list, whose spelling a file has settled. */
  readonly #settled = new Set<number>();
  #tree: SchemaTree;

  constructor(tree: SchemaTree) {
    this.#tree = tree;
  }

  /** The output's schema as far as it is settled. */
  get tree(): SchemaTree {
    return this.#tree;
  }

  /** Takes over the spelling of a file for what no file had before. @returns whether the schema changed */
  settle(source: SchemaTree): boolean {
    if (this.#settled.size === placesOf(this.#tree).size) return false;
    const places = placesOf(this.#tree);
    const changes = new Map<number, Partial<SchemaElement>>();
    const fields = this.#tree.root.children.map(fieldView);
    walk(fields, source.root.children.map(fieldView), (out, from) => {
      const place = places.get(out)!;
      if (this.#settled.has(place)) return;
      this.#settled.add(place);
      const { logical } = out;
      // of a column of nulls there is nothing to take over
      if (logical === undefined || from.logical?.kind !== logical.kind) return;
      const spelling = spellingOf(from.element, from.logical);
      if (spelling === spellingOf(out.element, logical)) return;
      changes.set(place, spelled(logical, spelling));
    });
    if (changes.size === 0) return false;
    this.#tree = schemaTree(
      elementsOf(this.#tree).map((element, place) => ({ ...element, ...changes.get(place) })),
    );
    return true;
  }
}

/** The places of a tree's nodes in its flat list. */
function placesOf({ root }: SchemaTree): Map<SchemaNode, number> {
  const places = new Map<SchemaNode, number>();
  const visit = (node: SchemaNode) => {
    places.set(node, places.size);
    node.children.forEach(visit);
  };
  visit(root);
  return places;
}

/** Visits the nodes of the output that a file has too, by name, and by position inside of lists and maps. */
function walk(
  out: readonly FieldView[],
  from: readonly FieldView[],
  visit: (out: SchemaNode, from: SchemaNode) => void,
): void {
  const byName = new Map(from.map((field) => [field.name, field]));
  for (const field of out) {
    const match = byName.get(field.name);
    if (match !== undefined) walkField(field, match, visit);
  }
}

function walkField(
  out: FieldView,
  from: FieldView,
  visit: (out: SchemaNode, from: SchemaNode) => void,
): void {
  if (out.kind !== from.kind) return;
  visit(out.node, from.node);
  if (out.kind === "list" || out.kind === "map") {
    out.children.forEach((child, i) => walkField(child, from.children[i], visit));
  } else walk(out.children, from.children, visit);
}
