/** @jsxImportSource preact */
import type { ComponentChildren } from "preact";

/** A column of a {@link Table}. */
export interface Column<T> {
  head: string;
  cell: (row: T) => ComponentChildren;
  /** Figures stand to the right, under each other. */
  number?: boolean;
}

/** Rows in columns; on a narrow page each row is a card. */
export function Table<T>(
  { label, columns, rows, keyOf }: {
    label: string;
    columns: Column<T>[];
    rows: T[];
    keyOf: (row: T) => string;
  },
) {
  // the roles are said since CSS takes them away where rows are shown as cards
  return (
    <table role="table" class="cards" aria-label={label}>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map(({ head, number }) => (
            <th role="columnheader" scope="col" class={number ? "number" : ""}>{head}</th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr role="row" key={keyOf(row)}>
            {columns.map(({ head, cell, number }) => (
              <td role="cell" class={number ? "number" : ""} data-head={head}>{cell(row)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
