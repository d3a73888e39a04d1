/**
 * Looks after outputs of before, when one user's schema could stand for another's of the same fingerprint: their rows are
 * right, but their field ids may be somebody else's. Each is compared with the files that went into it, as far as these
 * are kept. A wrong one is marked, and the planner writes it anew with the ids of its inputs: that is what merging the
 * inputs again would give, since nothing but ids was taken from the wrong schema. Where the inputs are gone it is
 * written without ids, which say nothing then. Uploaded files whose schema is not known are read, and it is.
 */
import type { Catalog } from "../../catalog/catalog.ts";
import type { UnsettledFile } from "../../catalog/upkeep_results.ts";
import { asSedimentError } from "../../errors.ts";
import { inspectParquet } from "../../parquet/inspect/inspect.ts";
import type { SchemaJson } from "../../parquet/format/schema_json.ts";
import type { ObjectStore } from "../../storage/object_store.ts";
import { storedReader } from "../../uploads/stored_reader.ts";

/** What it needs. */
export interface SettlePorts {
  catalog: Pick<Catalog, "listUnsettledOutputs" | "settleOutputs" | "markForRewrite">;
  store: Pick<ObjectStore, "getRange">;
}

/** What was found. */
export interface SettleReport {
  looked: number;
  /** As they should be. */
  settled: number;
  /** Marked, to have the ids of their inputs. */
  corrected: number;
  /** Marked, to have no ids any more. */
  stripped: number;
  /** Objects that could not be read; they stay unsettled. */
  unread: { id: number; reason: string }[];
}

/** Field ids by path; the root's is the empty one. */
type Ids = Map<string, number>;

/** Generations of inputs that are looked back on. */
const deepest = 8;

/**
 * Settles all outputs, page by page.
 *
 * @param options `dryRun`: tells what it would do, and writes nothing
 * @throws SedimentError as the catalog's methods
 */
export async function settleSchemas(
  ports: SettlePorts,
  options: { dryRun?: boolean; signal?: AbortSignal } = {},
): Promise<SettleReport> {
  const { catalog } = ports;
  const { signal } = options;
  const report: SettleReport = { looked: 0, settled: 0, corrected: 0, stripped: 0, unread: [] };
  for (let after = 0, more = true; more;) {
    const page = await catalog.listUnsettledOutputs({ after, limit: 100, inputs: null }, {
      signal,
    });
    const settled: { id: number; schema: SchemaJson }[] = [];
    const marked: { id: number; reason: string; schema: SchemaJson }[] = [];
    for (const file of page.files) {
      report.looked++;
      let schema: SchemaJson;
      try {
        schema = await schemaOf(ports, file, signal);
      } catch (thrown) {
        report.unread.push({ id: file.id, reason: asSedimentError(thrown).message });
        continue;
      }
      const own = idsOf(schema);
      // what was uploaded has the ids that it has
      const expected = own.size === 0 || file.level === 0
        ? own
        : await expectedIds(ports, file, signal);
      if (expected !== undefined && sameIds(own, expected)) {
        settled.push({ id: file.id, schema });
        report.settled++;
      } else if (expected === undefined) {
        const reason = "field ids of which nobody knows any more whose they are";
        marked.push({ id: file.id, reason, schema: withIds(schema, new Map()) });
        report.stripped++;
      } else {
        const reason = "field ids that are not those of its inputs";
        marked.push({ id: file.id, reason, schema: withIds(schema, expected) });
        report.corrected++;
      }
    }
    if (options.dryRun !== true) {
      if (settled.length > 0) await catalog.settleOutputs({ files: settled }, { signal });
      if (marked.length > 0) await catalog.markForRewrite({ files: marked }, { signal });
    }
    after = page.files.at(-1)?.id ?? after;
    more = page.more && page.files.length > 0;
  }
  return report;
}

/** The ids that an output should have, by the files that went into it; undefined where those are gone. */
async function expectedIds(
  ports: SettlePorts,
  output: UnsettledFile,
  signal: AbortSignal | undefined,
  generation = 0,
): Promise<Ids | undefined> {
  if (generation === deepest) return undefined;
  const { files } = await ports.catalog.listUnsettledOutputs({
    after: null,
    limit: null,
    inputs: [output.id],
  }, { signal });
  if (files.length === 0) return undefined;
  const ids: Ids = new Map();
  for (const file of files) {
    let own: Ids | undefined;
    try {
      own = file.level > 0
        ? await expectedIds(ports, file, signal, generation + 1)
        : idsOf(await schemaOf(ports, file, signal));
    } catch {
      return undefined; // its bytes are gone before its row
    }
    if (own === undefined) return undefined;
    // as in a merge: the first that names a field
    for (const [path, id] of own) if (!ids.has(path)) ids.set(path, id);
  }
  return ids;
}

async function schemaOf(
  { store }: SettlePorts,
  file: UnsettledFile,
  signal?: AbortSignal,
): Promise<SchemaJson> {
  const reader = storedReader(store, file.object_key, file.start_byte, file.byte_length);
  return (await inspectParquet(reader, undefined, signal)).schema;
}

function idsOf(schema: SchemaJson): Ids {
  const ids: Ids = new Map();
  const walk = (node: SchemaJson, path: string) => {
    if (node.field_id !== undefined) ids.set(path, node.field_id);
    node.children?.forEach((child) => walk(child, `${path}/${child.name}`));
  };
  walk(schema, "");
  return ids;
}

function withIds(schema: SchemaJson, ids: Ids): SchemaJson {
  const walk = (node: SchemaJson, path: string): SchemaJson => {
    const { field_id: _id, children, ...rest } = node;
    const id = ids.get(path);
    return {
      ...rest,
      ...(id !== undefined && { field_id: id }),
      ...(children && { children: children.map((child) => walk(child, `${path}/${child.name}`)) }),
    };
  };
  return walk(schema, "");
}

function sameIds(one: Ids, other: Ids): boolean {
  return one.size === other.size && [...one].every(([path, id]) => other.get(path) === id);
}
