/** `sediment tables`, `schema` and `head`: what a dataset holds, by the reader. */
import { Buffer } from "node:buffer";
import type { Field } from "apache-arrow";
import type { Dataset } from "../../reader/open_dataset.ts";
import { SedimentError } from "../../errors.ts";
import { openProject } from "./open.ts";
import { type Command, type Input, type Option, UsageError } from "./options.ts";
import { plainText } from "../plain_text.ts";
import { queryOf, selection } from "./selection.ts";
import { bytes, createTerminal, table } from "./terminal.ts";
import { timeText } from "./time_text.ts";

const { dataset, period, from, to } = selection;
const ofVersion: Record<string, Option> = { dataset, "as-of": selection["as-of"] };

/** `sediment tables` */
export const tables: Command = {
  name: "tables",
  says: "the tables of a dataset: rows, bytes, periods",
  synopsis: "--dataset ID",
  teaches:
    `Lists the tables of a version, with what their files hold together. --json has the columns too.`,
  examples: [["sediment tables --dataset 0b3f1c58-…", "a line a table"]],
  options: ofVersion,
  arity: [0, 0],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const opened = await open(input);
    const found = await opened.tables();
    if (input.is("json")) {
      for (const one of found) {
        const { schemas: _, ...summary } = one;
        terminal.out(JSON.stringify(summary));
      }
      return 0;
    }
    const rows = found.map((one) => [
      plainText(one.table),
      one.files,
      one.rows,
      bytes(one.bytes),
      one.columns.length,
      one.periods.length,
      plainText(spanOf(one.periods.map(({ period_tag }) => period_tag))),
    ]);
    const titles = ["table", "files", "rows", "size", "columns", "periods", "from … to"];
    for (const line of table(titles, rows)) terminal.out(line);
    for (const { table, conflict } of found) {
      if (conflict !== null) terminal.say(plainText(`${table}: ${conflict}`));
    }
    terminal.say(`version ${opened.version}: ${found.length} tables`);
    return 0;
  },
};

/** `sediment schema` */
export const schema: Command = {
  name: "schema",
  says: "the columns of a table, as Arrow has them",
  synopsis: "TABLE --dataset ID",
  teaches:
    `Lists the columns of all files of a table together, with the types that readers give them.`,
  examples: [["sediment schema battles --dataset 0b3f1c58-…", "a line a column"]],
  options: ofVersion,
  arity: [1, 1],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const { fields } = await (await open(input)).schema(input.positionals[0]);
    const columns = fields.map(({ name, type, nullable }) => ({
      name,
      type: String(type),
      nullable,
    }));
    if (input.is("json")) { for (const column of columns) terminal.out(JSON.stringify(column)); }
    else {
      const rows = columns.map(({ name, type, nullable }) => [
        plainText(name),
        plainText(type),
        nullable ? "" : "not null",
      ]);
      for (const line of table(["column", "type", ""], rows)) terminal.out(line);
    }
    return 0;
  },
};

/** `sediment head` */
export const head: Command = {
  name: "head",
  says: "the first rows of a table",
  synopsis: "TABLE --dataset ID [--rows N] [--columns A,B]",
  teaches:
    `Reads the first rows of a table, in the order of its files, and no more of them than that takes. With
--json a row is a line; integers above 2^53 and decimals are texts there, bytes are base64, and dates and
timestamps are milliseconds since 1970.`,
  examples: [
    ["sediment head battles --dataset 0b3f1c58-…", "ten rows"],
    ["sediment head battles --dataset 0b3f1c58-… --columns id,ts --rows 3 --json", "for scripts"],
  ],
  options: {
    ...ofVersion,
    period,
    from,
    to,
    rows: { value: "N", says: "how many (10)" },
    columns: { value: "A,B", says: "these columns only" },
  },
  arity: [1, 1],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const most = Number(input.text("rows") ?? 10);
    if (!Number.isInteger(most) || most < 1) {
      throw new UsageError("--rows wants a whole number above 0");
    }
    const { period_tag, from, to } = queryOf(input);
    const scan = (await open(input)).scan({
      table: input.positionals[0],
      columns: input.text("columns")?.split(","),
      period: period_tag,
      from,
      to,
    });
    const rows: Record<string, unknown>[] = [];
    let fields: Field[] = [];
    let names: string[] = [];
    for await (const batch of scan) {
      fields = batch.schema.fields;
      names = fields.map(({ name }) => name);
      for (let at = 0; at < batch.numRows && rows.length < most; at++) {
        rows.push(Object.fromEntries(names.map((name) => [name, batch.getChild(name)?.get(at)])));
      }
      if (rows.length >= most) break;
    }
    if (input.is("json")) { for (const row of rows) terminal.out(JSON.stringify(row, asJson)); }
    else {
      const cells = rows.map((row) =>
        fields.map(({ name, type }) => timeText(String(type), row[name]) ?? cellText(row[name]))
      );
      if (names.length > 0) {
        for (const line of table(names.map(plainText), cells)) terminal.out(line);
      }
      terminal.say(`${rows.length} rows`);
    }
    return 0;
  },
};

async function open(input: Input): Promise<Dataset> {
  const { dataset_id, version } = queryOf(input);
  const { url, key, session } = await openProject(input);
  // Arrow is more than all the rest of the command line: it is loaded when it is asked for.
  const { openDataset } = await import("../../reader/open_dataset.ts").catch((cause) => {
    throw new SedimentError("part_missing", "this command reads by apache-arrow", {
      expected: "npm install apache-arrow, beside the command line",
      cause,
    });
  });
  return await openDataset({
    url,
    key,
    session,
    datasetId: dataset_id,
    version: version === undefined ? undefined : Number(version),
  });
}

function spanOf(tags: string[]): string {
  const [first, last] = [tags.at(0) ?? "", tags.at(-1) ?? ""];
  return first === last ? first : `${first} … ${last}`;
}

/** Values of Arrow as JSON can have them. */
function asJson(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") {
    return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  return ArrayBuffer.isView(value) ? String(value) : value;
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString("hex")}`;
  if (value instanceof Date) return value.toISOString();
  return plainText(
    typeof value === "object" && !ArrayBuffer.isView(value)
      ? JSON.stringify(value, asJson)
      : String(value),
  );
}
