import { SedimentError } from "../../../errors.ts";
import { conversions, type LeafSource, type PlanSource, type SourcePlan } from "./source_plan.ts";
import { parquetError } from "../../format/parquet_error.ts";
import type { SchemaTree } from "../../format/schema.ts";
import { leafType, ownLayout, schemaText } from "../../format/schema_text.ts";
import { type FieldView, fieldView, isNull, repeats, viewText } from "./field_view.ts";
import { leafKind } from "./leaf_kind.ts";
import { leafConversion } from "./leaf_union.ts";
import type { UnionOptions } from "./union_options.ts";

/** The nearest group above a missing leaf that the source has. */
interface Ancestor {
  /** Levels of the output at which the group is there. */
  definitionLevel: number;
  repetitionLevel: number;
  /** The output's leaves below it: [first, end). */
  firstLeaf: number;
  endLeaf: number;
}

/** How far down the walk is: levels of the output, and what the source's levels are there. */
interface Depth {
  definition: number;
  repetition: number;
  /** Definition level of the source → of the output, for the steps so far. */
  map: readonly number[];
}

/**
 * Plans by name at every depth how files of a schema fill the output's leaves: columns in another order, columns
 * that are missing (nulls), types that widen, levels that the output adds. The plan of a schema throws
 * `schema_incompatible` when a column of it has no place in the output, or cannot become the output's type.
 */
export function planByName(output: SchemaTree, options: UnionOptions = {}): PlanSource {
  const outputFields = output.root.children.map(fieldView);
  return (source) => {
    try {
      return plan(source);
    } catch (error) {
      throw withSchemas(error, source, output);
    }
  };

  function plan(source: SchemaTree): SourcePlan {
    const leaves: (LeafSource | Ancestor)[] = [];
    const used = new Set<number>();

    function walk(
      out: FieldView,
      from: FieldView | undefined,
      depth: Depth,
      ancestor: Ancestor,
      path: readonly string[],
    ): void {
      if (from === undefined) return missing(out, ancestor, path);
      if (isNull(from) && out.kind !== "leaf") return nulls(out, from, depth, path);
      if (
        from.kind !== out.kind || (from.nullable && !out.nullable) ||
        ownLayout(from.node) !== ownLayout(out.node)
      ) {
        throw incompatible(out, from, path);
      }
      let { definition, repetition } = depth;
      const map = [...depth.map];
      if (out.nullable) {
        if (from.nullable) map.push(definition);
        definition++;
      }
      if (repeats(out)) {
        map.push(definition);
        definition++;
        repetition++;
      }
      const below: Depth = { definition, repetition, map };
      const [firstLeaf, endLeaf] = leafRange(out);
      const here: Ancestor = {
        definitionLevel: definition,
        repetitionLevel: repetition,
        firstLeaf,
        endLeaf,
      };
      if (out.kind === "leaf") {
        const conversion = leafConversion(leafKind(from.node), leafKind(out.node), options);
        if (conversion === undefined) throw incompatible(out, from, path);
        used.add(from.node.firstLeaf);
        map.push(definition);
        const same = map.every((level, i) => level === i);
        leaves.push({
          kind: "pages",
          leaf: from.node.firstLeaf,
          ...(!same && { levels: Uint8Array.from(map) }),
          ...conversion,
        });
        return;
      }
      if (out.kind === "variant") {
        const text = (view: FieldView) => viewText({ ...view, nullable: true });
        if (text(out) !== text(from)) throw incompatible(out, from, path);
      }
      const byPosition = repeats(out);
      out.children.forEach((child, i) => {
        const match = byPosition
          ? from.children[i]
          : from.children.find(({ name }) => name === child.name);
        walk(child, match, below, here, [...path, child.name]);
      });
    }

    /** A column of nulls where the output has a group: each leaf below takes its levels. */
    function nulls(out: FieldView, from: FieldView, depth: Depth, path: readonly string[]): void {
      if (!out.nullable) throw incompatible(out, from, path);
      const leaf = from.node.firstLeaf;
      used.add(leaf);
      // of a value that is there, of which there are none
      const map = [...depth.map, ...(from.nullable ? [depth.definition] : []), depth.definition];
      const [first, end] = leafRange(out);
      for (let i = first; i < end; i++) {
        leaves.push({
          kind: "pages",
          leaf,
          levels: Uint8Array.from(map),
          conversion: conversions.nothing,
        });
      }
    }

    function missing(out: FieldView, ancestor: Ancestor, path: readonly string[]): void {
      if (!out.nullable) {
        throw parquetError(
          "schema_incompatible",
          "the file lacks a column that the output requires",
          { column: path },
        );
      }
      const [first, end] = leafRange(out);
      for (let leaf = first; leaf < end; leaf++) leaves.push(ancestor);
    }

    const root: Ancestor = {
      definitionLevel: 0,
      repetitionLevel: 0,
      firstLeaf: 0,
      endLeaf: output.leaves.length,
    };
    const fields = new Map(source.root.children.map((node) => [node.name, fieldView(node)]));
    for (const out of outputFields) {
      walk(out, fields.get(out.name), { definition: 0, repetition: 0, map: [] }, root, [out.name]);
    }
    const lost = source.leaves.find((_, leaf) => !used.has(leaf));
    if (lost !== undefined) {
      throw parquetError("schema_incompatible", "the column has no place in the output", {
        column: lost.path,
      });
    }
    const filled = leaves.map((leaf) => "kind" in leaf ? leaf : fillMissing(leaf, leaves, output));
    return { leaves: filled, identical: isIdentical(filled, source, output) };
  }
}

/** The error with both schemas in it: it is what a quarantine shows. */
function withSchemas(error: unknown, source: SchemaTree, output: SchemaTree): unknown {
  if (!(error instanceof SedimentError)) return error;
  const cut = (text: string) => text.length > 2000 ? `${text.slice(0, 2000)}…` : text;
  return new SedimentError(
    error.code,
    `${error.message} (the file has ${cut(schemaText(source))}, the output ${
      cut(schemaText(output))
    })`,
    { expected: cut(schemaText(output)), extra: error.extra },
  );
}

/** Indices of the output's leaves below a view. */
function leafRange(view: FieldView): [number, number] {
  return [view.node.firstLeaf, view.node.firstLeaf + view.node.leafCount];
}

function incompatible(out: FieldView, from: FieldView, path: readonly string[]) {
  const cut = (text: string) => text.length > 500 ? `${text.slice(0, 500)}…` : text;
  return parquetError(
    "schema_incompatible",
    `the type ${cut(viewText(from))} cannot become ${cut(viewText(out))} without loss`,
    { column: path },
  );
}

/**
 * A missing leaf is null wherever its nearest group is there: that follows from the levels of a leaf beside it,
 * the one that repeats least.
 */
function fillMissing(
  ancestor: Ancestor,
  leaves: readonly (LeafSource | Ancestor)[],
  output: SchemaTree,
): LeafSource {
  const { definitionLevel, repetitionLevel } = ancestor;
  if (definitionLevel === 0 && repetitionLevel === 0) return { kind: "nulls", definitionLevel: 0 };
  let sibling = -1;
  for (let leaf = ancestor.firstLeaf; leaf < ancestor.endLeaf; leaf++) {
    const candidate = leaves[leaf];
    if (!("kind" in candidate) || candidate.kind !== "pages") continue;
    const level = output.leaves[leaf].repetitionLevel;
    if (sibling < 0 || level < output.leaves[sibling].repetitionLevel) sibling = leaf;
  }
  if (sibling < 0) {
    throw parquetError(
      "schema_incompatible",
      "the file and the output share no column of a group",
      {
        column: output.leaves[ancestor.firstLeaf].path,
      },
    );
  }
  return { kind: "sibling", sibling, repetitionLevel, definitionLevel };
}

/** Whether chunks of the source can stand in the output as they are, statistics and all. */
function isIdentical(leaves: LeafSource[], source: SchemaTree, output: SchemaTree): boolean {
  return source.leaves.length === output.leaves.length &&
    leaves.every((leaf, i) =>
      leaf.kind === "pages" && leaf.leaf === i && leaf.levels === undefined &&
      leaf.conversion === undefined && leafType(source.leaves[i]) === leafType(output.leaves[i])
    );
}
