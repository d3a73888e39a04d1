/** One file of a corpus: through the checks of an upload, merged on every path, and each output beside DuckDB's rows. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { join } from "node:path";
import { SedimentError } from "../../../shared/errors.ts";
import { checkValues } from "../../../shared/parquet/inspect/check_values.ts";
import { type FooterFacts, inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { normalizer } from "../../../shared/parquet/merge/decode/normalize.ts";
import type { MergeResult } from "../../../shared/parquet/merge/merge_plan.ts";
import type { MergeOrder } from "../../../shared/parquet/merge/pages/row_order.ts";
import type { MergeSettings } from "../../../shared/parquet/merge/pages/merge_settings.ts";
import { mergePages } from "../../../shared/parquet/merge/page_merge.ts";
import { planByName } from "../../../shared/parquet/merge/union/plan_by_name.ts";
import { compatibleGroups } from "../../../shared/parquet/merge/union/union_schema.ts";
import { bytesReader } from "../../../shared/parquet/format/range_reader.ts";
import { schemaJson } from "../../../shared/parquet/format/schema_json.ts";
import { schemaFromJson } from "../../../shared/parquet/merge/union/schema_from_json.ts";
import { valueOrder, valueOrders } from "../../../shared/parquet/format/value_order.ts";
import { paths as ways } from "../core/merge_bytes.ts";
import { MemorySink } from "../memory_sink.ts";
import { checkFilters } from "./filters.ts";
import { readers } from "./readers.ts";
import { columnsOf, digest, fromFiles, zones } from "./truth.ts";
import { reorderedAndFewer, widened } from "./variants.ts";

/** Values of a file that is read into objects. */
const mostValues = 2_000_000;

/** What became of a file. */
export interface Examined {
  /** The code and message for which the upload refuses it. */
  refusal?: string;
  merges: number;
  queries: number;
  /** Outputs that another reader opened. */
  opened: number;
  /** What differs; empty when nothing does. */
  different: string[];
  /** Readers that don't take the file itself, so that nothing is asked of them. */
  unreadBy: string[];
}

/** A file on disk, with its facts. */
interface Input {
  path: string;
  bytes: Uint8Array;
  facts: FooterFacts;
}

/** A merge to be made. */
interface Task {
  name: string;
  inputs: Input[];
  settings?: Partial<MergeSettings>;
  order?: MergeOrder;
  /** Whether its output is asked by filters, too. */
  filters?: boolean;
  /** The path of another file that is merged with it. */
  next?: string;
}

/** Examines a file. @param next another file, merged with it where the two have a union */
export class Examiner {
  readonly #connection: DuckDBConnection;
  readonly #folder: string;
  #files = 0;

  /** @param folder for what is written */
  constructor(connection: DuckDBConnection, folder: string) {
    this.#connection = connection;
    this.#folder = folder;
  }

  async examine(path: string, next?: string): Promise<Examined> {
    const bytes = await Deno.readFile(path);
    const found: Examined = {
      merges: 0,
      queries: 0,
      opened: 0,
      different: [],
      unreadBy: [],
    };
    const input = await accepted(path, bytes);
    if ("refusal" in input) return { ...found, refusal: input.refusal };
    found.unreadBy = await this.#unreadBy(path);
    const alone = found.unreadBy;
    for (const task of await this.#tasks(input, next)) {
      if (task.next !== undefined) {
        found.unreadBy = [...alone, ...await this.#unreadBy(task.next)];
      }
      const different = await this.#merge(task, found).catch((error: Error) =>
        `${error.name}: ${error.message}`
      );
      found.merges++;
      if (different !== undefined) found.different.push(`${task.name}: ${different}`);
    }
    found.unreadBy = alone;
    return found;
  }

  async #write(bytes: Uint8Array): Promise<string> {
    // a name of its own: DuckDB caches files by name, size and time
    const path = join(this.#folder, `${this.#files++}.parquet`);
    await Deno.writeFile(path, bytes);
    return path;
  }

  async #tasks(input: Input, next?: string): Promise<Task[]> {
    // some dozen pages and row groups of each, however large it is
    const pageRows = Math.max(7, Math.ceil(input.facts.rowCount / 30));
    const windowBytes = Math.max(3000, Math.ceil(input.bytes.length / 30));
    const rowGroupBytes = Math.max(500, Math.ceil(input.bytes.length / 12));
    const inputs = [input, input];
    const tasks: Task[] = [
      { name: "itself", inputs, filters: true },
      {
        name: "itself, page by page",
        inputs,
        settings: { ...ways["page by page"], pageRows, windowBytes },
        filters: true,
      },
      {
        name: "itself, in slices",
        inputs,
        settings: { ...ways["in slices"], pageRows, windowBytes, rowGroupBytes },
      },
      { name: "itself, copied", inputs, settings: ways.copied, filters: true },
    ];
    const order = orderOf(input.facts);
    if (order !== undefined) {
      tasks.push({ name: "itself, sorted", inputs, order: { sort: order.sort }, filters: true });
      tasks.push({ name: "itself, sorted and deduplicated", inputs, order });
    }
    const others: [string, Uint8Array | undefined][] = [
      ["fewer columns in another order", reorderedAndFewer(input.bytes, input.facts)],
      ["wider types", await widened(input.bytes, input.facts)],
    ];
    for (const [name, bytes] of others) {
      if (bytes === undefined) continue;
      const other = { path: await this.#write(bytes), bytes, facts: inspectParquetBytes(bytes) };
      tasks.push({ name: `with ${name}`, inputs: [input, other] });
      tasks.push({ name: `behind ${name}, copied`, inputs: [other, input], settings: ways.copied });
    }
    const neighbour = next === undefined
      ? undefined
      : await accepted(next, await Deno.readFile(next));
    if (neighbour !== undefined && !("refusal" in neighbour)) {
      const [group] = compatibleGroups([input.facts.tree, neighbour.facts.tree]);
      if (group.members.length === 2) {
        tasks.push({ name: "with the next file", inputs: [input, neighbour], next });
      }
    }
    return tasks;
  }

  /** Merges and compares; gives what differs. */
  async #merge(
    { name, inputs, settings, order, filters }: Task,
    found: Examined,
  ): Promise<string | undefined> {
    const [group] = compatibleGroups(inputs.map(({ facts }) => facts.tree));
    if (group.members.length < inputs.length) return `no union: ${name}`;
    const sink = new MemorySink();
    const result = await mergePages(
      {
        inputs: inputs.map((_, i) => ({ id: String(i), level: 0 })),
        target: { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec: "snappy" },
        expectedRows: inputs.reduce((sum, { facts }) => sum + facts.rowCount, 0),
        order,
      },
      new Map(inputs.map(({ bytes }, i) => [String(i), bytesReader(bytes)])),
      sink,
      {
        schema: schemaFromJson(schemaJson(group.schema)),
        planSource: planByName,
        normalize: normalizer(),
        settings,
      },
    );
    const bad = result.rejected.find(({ apart }) => !apart);
    if (bad !== undefined) return `${bad.error.code}: ${bad.error.message}`;
    const merged = inputs.filter((_, i) => result.merged.includes(String(i)));
    if (merged.length === 0) return "nothing was merged";
    const output = await this.#write(sink.bytes());
    try {
      const deduped = order?.dedupe !== undefined;
      return await this.#compare(output, merged, found, { filters, deduped }) ??
        await this.#open(output, result, found);
    } finally {
      await Deno.remove(output);
    }
  }

  async #compare(
    output: string,
    inputs: Input[],
    found: Examined,
    { filters, deduped }: { filters?: boolean; deduped: boolean },
  ): Promise<string | undefined> {
    const acceptance = inspectParquetBytes(await Deno.readFile(output));
    if (acceptance.rowCount === 0) return undefined;
    if (found.unreadBy.includes("DuckDB")) return undefined;
    const connection = this.#connection;
    // once as it is and again: DuckDB reads a list of one path given twice only once
    const copies = await Promise.all(inputs.map(({ bytes }) => this.#write(bytes)));
    try {
      const [ours, theirs] = [fromFiles(output), fromFiles(...copies)];
      const [columns, expected] = [
        await columnsOf(connection, ours),
        await columnsOf(connection, theirs),
      ];
      const types = JSON.stringify(columns);
      if (types !== JSON.stringify(expected)) {
        const at = columns.findIndex((one, i) =>
          JSON.stringify(one) !== JSON.stringify(expected[i])
        );
        return `types: ${JSON.stringify(columns[at])}, of the inputs ${
          JSON.stringify(expected[at])
        }`;
      }
      for (const zone of zones) {
        await connection.run(`set timezone = '${zone}'`);
        const [a, b] = [
          await digest(connection, ours, columns),
          await digest(connection, theirs, columns, deduped),
        ];
        if (a !== b) return `rows in ${zone}: ${a}, of the inputs ${b}`;
      }
      if (!filters) return undefined;
      const { queries, different } = await checkFilters(connection, output, theirs);
      found.queries += queries;
      return different;
    } finally {
      for (const copy of copies) await Deno.remove(copy);
    }
  }

  async #open(
    output: string,
    { rowCount: rows, valueCount }: MergeResult,
    found: Examined,
  ): Promise<string | undefined> {
    for (const [name, read] of Object.entries(readers)) {
      // it makes an object of each row
      const tooMany = name === "hyparquet" && valueCount > mostValues;
      if (tooMany || found.unreadBy.includes(name)) continue;
      try {
        const count = await read(output);
        if (count !== rows) return `${name} reads ${count} rows of ${rows}`;
      } catch (error) {
        return `${name}: ${(error as Error).message}`;
      }
      found.opened++;
    }
    return undefined;
  }

  /** Readers that don't take a file, or not all of its rows. */
  async #unreadBy(path: string): Promise<string[]> {
    const unread: string[] = [];
    const { rowCount } = inspectParquetBytes(await Deno.readFile(path));
    for (const [name, read] of Object.entries(readers)) {
      try {
        if (await read(path) !== rowCount) unread.push(name);
      } catch {
        unread.push(name);
      }
    }
    try {
      const from = fromFiles(path);
      const first = await digest(this.#connection, from, await columnsOf(this.#connection, from));
      if (Number(first.split(" ")[0]) !== rowCount) unread.push("DuckDB");
    } catch {
      unread.push("DuckDB");
    }
    return unread;
  }
}

/** Whether an upload would take the bytes; what for not. */
async function accepted(path: string, bytes: Uint8Array): Promise<Input | { refusal: string }> {
  try {
    const facts = inspectParquetBytes(bytes);
    await checkValues(bytes, facts);
    return { path, bytes, facts };
  } catch (error) {
    if (!(error instanceof SedimentError)) throw error;
    return { refusal: `${error.code}: ${error.message}` };
  }
}

/** Sorts by the first flat column that has an order, and deduplicates by all where all are flat. */
function orderOf({ tree }: FooterFacts): MergeOrder | undefined {
  const flat = tree.leaves.filter(({ repetitionLevel, path, logical }) =>
    repetitionLevel === 0 && path.length === 1 && logical?.kind !== "UNKNOWN"
  );
  const key = flat.find((leaf) => valueOrder(leaf) !== valueOrders.none);
  if (key === undefined) return undefined;
  return {
    sort: [{ path: key.path, descending: true }],
    ...(flat.length === tree.leaves.length && flat.length <= 15 &&
      { dedupe: flat.map(({ path }) => path) }),
  };
}
