/** What the browser's page, and Node, read of a stack: as an app would, with what a test wants to know of it. */
import { openDataset } from "../../../shared/reader/open_dataset.ts";
import type { DatasetOptions } from "../../../shared/reader/reader_options.ts";

/** Reads a table and sums it up in words that JSON has. */
async function read(options: DatasetOptions) {
  const dataset = await openDataset(options);
  const [summary] = await dataset.tables();
  const scan = dataset.scan({
    table: summary.table,
    columns: ["id", "s_mid", "li"],
    where: { column: "id", op: "<", value: 700n },
  });
  let rows = 0, ids = 0n, texts = 0, entries = 0;
  for await (const batch of scan) {
    rows += batch.numRows;
    const [id, text, list] = batch.data.children;
    for (let i = 0; i < batch.numRows; i++) ids += id.values[i];
    texts += text.values.length;
    entries += list.children[0].length;
  }
  const all = await dataset.toTable({ table: summary.table });
  return {
    tableRows: summary.rows,
    columns: summary.columns.length,
    rows,
    ids: String(ids),
    texts,
    entries,
    allRows: all.numRows,
    filesPruned: scan.report.filesPruned,
    first: JSON.parse(
      JSON.stringify(all.get(0)?.toJSON(), (_, v) => typeof v === "bigint" ? `${v}` : v),
    ),
  };
}

export type ReadAnswer = Awaited<ReturnType<typeof read>>;

Object.assign(globalThis, { read });
