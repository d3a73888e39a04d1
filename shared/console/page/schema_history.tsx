/** @jsxImportSource preact */
import { Panel } from "./parts.tsx";
import { Table } from "./table.tsx";
import { countText, several } from "./words.ts";

interface Column {
  name: string;
  type?: string;
  logical?: string;
  repetition?: string;
}

interface FilesSchema {
  fingerprint: string;
  files: number;
  rows: number;
  schema: { children?: Column[] };
}

/** The tables of a dataset with the schemas of their files, in the order in which they came. */
export interface Schemas {
  tables: {
    table: string;
    conflict: string | null;
    columns: Column[];
    schemas?: FilesSchema[];
  }[];
}

const typeText = ({ type, logical }: Column) => logical ?? type ?? "group";

/** What a schema brought that none before it had, and what those had that it lacks. */
function changes(schemas: FilesSchema[]): string[] {
  const known = new Map<string, string>();
  return schemas.map(({ schema: { children = [] } }, i) => {
    const told: string[] = [];
    const own = new Set(children.map(({ name }) => name));
    for (const column of children) {
      const before = known.get(column.name);
      const type = typeText(column);
      if (before === undefined) told.push(`+ ${column.name} ${type}`);
      else if (before !== type) told.push(`${column.name}: ${before} → ${type}`);
      known.set(column.name, type);
    }
    told.push(...[...known.keys()].filter((name) => !own.has(name)).map((name) => `− ${name}`));
    if (i === 0) return `${several(children.length, "column")}`;
    return told.join(", ") || "the same columns, otherwise written";
  });
}

/** The columns of a table, and, where its files have several schemas, what each of them changed. */
export function SchemaHistory({ of }: { of: Schemas["tables"][number] | undefined }) {
  if (of === undefined) return null;
  const { columns, conflict, schemas = [] } = of;
  const told = changes(schemas);
  return (
    <>
      <Panel
        title={several(columns.length, "column")}
        says={conflict ??
          (schemas.length > 1 ? "of all schemas together" : "all files have the same")}
      >
        <Table
          label="Columns"
          rows={columns}
          keyOf={({ name }) => name}
          columns={[
            { head: "Column", cell: ({ name }) => <code>{name}</code> },
            { head: "Type", cell: typeText },
            {
              head: "Nulls",
              cell: ({ repetition }) => repetition === "required" ? "none" : "allowed",
            },
          ]}
        />
      </Panel>
      {schemas.length > 1 && (
        <Panel title="Schema history" says="the schemas of its files, in the order of upload">
          <Table
            label="Schema history"
            rows={schemas.map((one, i) => ({ ...one, told: told[i] }))}
            keyOf={({ fingerprint }) =>
              fingerprint}
            columns={[
              {
                head: "Schema",
                cell: ({ fingerprint }) => (
                  <code title={fingerprint}>{fingerprint.slice(0, 8)}</code>
                ),
              },
              { head: "What changed", cell: ({ told }) => <span class="words">{told}</span> },
              {
                head: "Files",
                number: true,
                cell: ({ files }) => countText(files),
              },
              { head: "Rows", number: true, cell: ({ rows }) => countText(rows) },
            ]}
          />
        </Panel>
      )}
    </>
  );
}
