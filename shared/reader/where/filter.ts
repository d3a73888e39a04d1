import { SedimentError } from "../../errors.ts";
import { printable } from "../../parquet/format/parquet_error.ts";
import type { SchemaTree } from "../../parquet/format/schema.ts";
import { type FieldView, fieldView } from "../../parquet/merge/union/field_view.ts";
import { type LeafKind, leafKind } from "../../parquet/merge/union/leaf_kind.ts";
import { type Point, pointOf } from "./domain.ts";
import type { Comparison, Literal, Where } from "./where.ts";

/** A filter whose columns and literals were found to fit a table. */
export type Filter =
  | { kind: "compare"; column: string; leaf: LeafKind; op: Comparison; point: Point }
  | { kind: "null"; column: string; negated: boolean }
  | { kind: "and" | "or"; parts: Filter[] }
  | { kind: "not"; part: Filter };

/** Filters nested deeper, or of more parts, are refused: they are not written by hand. */
const deepest = 100, mostParts = 10_000;

/** Checks a filter against a table's schema. Throws `invalid_request` naming the column and what is expected. */
export function checkWhere(where: Where, tree: SchemaTree): Filter {
  const columns = new Map(tree.root.children.map((node) => [node.name, node]));
  let parts = 0;
  const invalid = (detail: string, expected: string) =>
    new SedimentError("invalid_request", detail, { field: "where", expected });

  function check(where: Where, depth: number): Filter {
    if (depth > deepest || ++parts > mostParts) {
      throw invalid(
        "the filter is too large",
        `at most ${mostParts} parts, nested ${deepest} deep`,
      );
    }
    if (typeof where !== "object" || where === null) {
      throw invalid("a part of the filter is no object", "{ column, op, value }, and, or, not");
    }
    if ("and" in where) {
      return { kind: "and", parts: where.and.map((part) => check(part, depth + 1)) };
    }
    if ("or" in where) {
      return { kind: "or", parts: where.or.map((part) => check(part, depth + 1)) };
    }
    if ("not" in where) return { kind: "not", part: check(where.not, depth + 1) };
    const { column, op } = where;
    const node = columns.get(column);
    if (node === undefined) {
      throw invalid(
        `the table has no column ${printable(String(column))}`,
        [...columns.keys()].slice(0, 50).map(printable).join(", "),
      );
    }
    if (op === "is null" || op === "is not null") {
      return { kind: "null", column, negated: op === "is not null" };
    }
    const view = fieldView(node);
    const leaf = checkLeaf(view);
    if (op === "in") {
      if (!Array.isArray(where.values)) throw invalid(`${column} in nothing`, "`values`, a list");
      return {
        kind: "or",
        parts: where.values.map((value: Literal) => compare(view, leaf, "=", value)),
      };
    }
    if (!["=", "!=", "<", "<=", ">", ">="].includes(op)) {
      throw invalid(
        `${printable(String(op))} is no comparison`,
        "=, !=, <, <=, >, >=, in, is null, is not null",
      );
    }
    return compare(view, leaf, op as Comparison, (where as { value: Literal }).value);
  }

  function compare(view: FieldView, leaf: LeafKind, op: Comparison, value: Literal): Filter {
    if (value === null || value === undefined) {
      throw invalid(`${printable(view.name)} ${op} null is never true`, '"is null"');
    }
    return { kind: "compare", column: view.name, leaf, op, point: pointOf(value, view, leaf) };
  }

  function checkLeaf(view: FieldView): LeafKind {
    if (view.kind === "leaf") return leafKind(view.node);
    throw invalid(
      `${printable(view.name)} is a ${view.kind}, which has no order`,
      '"is null" or "is not null"',
    );
  }

  return check(where, 0);
}

/** The names that a filter mentions, checked or not. */
export function whereColumns(where: Where, into = new Set<string>(), depth = 0): Set<string> {
  if (typeof where !== "object" || where === null || depth > deepest) return into;
  if ("not" in where) return whereColumns(where.not, into, depth + 1);
  if ("column" in where) return into.add(where.column);
  const parts = "and" in where ? where.and : where.or;
  for (const part of parts ?? []) whereColumns(part, into, depth + 1);
  return into;
}
