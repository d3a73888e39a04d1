/** Reads a column of a table as Arrow, and plots how its values are spread: `node plot.mjs TABLE COLUMN > plot.svg`. */
import process from "node:process";
import { openDataset } from "sediment-client/reader";
import { tokenSession } from "sediment-client/uploader";

const { SEDIMENT_URL, SEDIMENT_KEY, SEDIMENT_TOKEN, SEDIMENT_DATASET } = process.env;
const [table, column] = process.argv.slice(2);

const dataset = await openDataset({
  url: SEDIMENT_URL,
  key: SEDIMENT_KEY,
  session: tokenSession(SEDIMENT_TOKEN),
  datasetId: SEDIMENT_DATASET,
});

// Batches come one at a time: what is held is the counts, not the rows.
const counts = new Map();
for await (const batch of dataset.scan({ table, columns: [column] })) {
  for (const value of batch.getChild(column)) {
    counts.set(Number(value), (counts.get(Number(value)) ?? 0) + 1);
  }
}
const bars = [...counts].sort(([a], [b]) => a - b);
const most = Math.max(...counts.values());
const width = 20;
console.log(`<svg xmlns="http://www.w3.org/2000/svg" width="${bars.length * width}" height="120">
<title>${table}.${column}, version ${dataset.version}</title>
${
  bars.map(([value, count], i) => {
    const height = 100 * count / most;
    return `<rect x="${i * width}" y="${100 - height}" width="${width - 2}" height="${height}">` +
      `<title>${value}: ${count}</title></rect>`;
  }).join("\n")
}
</svg>`);
