import { repetition } from "../../parquet/format/metadata.ts";
import type { SchemaNode, SchemaTree } from "../../parquet/format/schema.ts";
import { type FieldView, fieldView } from "../../parquet/merge/union/field_view.ts";
import { levelLeaf } from "../arrow/nested_data.ts";

/** Definition level of the entries of the innermost list around a leaf; 0: there is none. */
export function slotLevel(leaf: SchemaNode): number {
  let node: SchemaNode | undefined = leaf;
  while (node !== undefined && node.repetition !== repetition.REPEATED) node = node.parent;
  return node?.definitionLevel ?? 0;
}

/** The leaves whose levels say where the groups above them are null, empty or longer. */
export function levelCarriers(
  tree: SchemaTree,
  levelOf: (leaf: number) => number,
): Set<number> {
  const found = new Set<number>();
  const visit = (view: FieldView) => {
    if (view.kind === "leaf") return;
    found.add(levelLeaf(view, levelOf));
    view.children.forEach(visit);
  };
  for (const node of tree.root.children) visit(fieldView(node));
  return found;
}
