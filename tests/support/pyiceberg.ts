/** pyiceberg as PyPI carries it, in a folder of its own. `.ci/run` puts it there; where it is absent nothing is read by it. */
import { strict as assert } from "node:assert";
import { join } from "node:path";

const folder = Deno.env.get("SEDIMENT_PYICEBERG") ??
  join(Deno.env.get("HOME") ?? "/", ".cache/sediment/pyiceberg");

/** Whether it is on this machine. */
export async function hasPyiceberg(): Promise<boolean> {
  return await Deno.stat(join(folder, "pyiceberg")).then(() => true, () => false);
}

/** Whether it can have its requests signed by others, for which it has s3fs. */
export async function signsRemotely(): Promise<boolean> {
  return await hasPyiceberg() &&
    await Deno.stat(join(folder, "s3fs")).then(() => true, () => false);
}

/** What is read of a table: all its rows, or those of a filter or a snapshot, into a Parquet file. */
export interface Scan {
  path: string;
  filter?: string;
  snapshot?: number;
}

const script = `
import json, sys
import pyarrow.parquet as pq
from pyiceberg.catalog import load_catalog
asked = json.load(sys.stdin)
catalog = load_catalog("lake", type="rest", **asked["catalog"])
table = catalog.load_table(tuple(asked["table"]))
answer = {"namespaces": catalog.list_namespaces(), "snapshots": [s.snapshot_id for s in table.metadata.snapshots], "counts": [], "files": []}
for scan in asked["scans"]:
    found = table.scan(row_filter=scan.get("filter", "true"), snapshot_id=scan.get("snapshot"))
    pq.write_table(found.to_arrow(), scan["path"])
    answer["counts"].append(found.count())
    answer["files"].append(len(list(found.plan_files())))
print(json.dumps(answer))
`;

/**
 * Reads a table.
 *
 * @param catalog the properties of a catalog: uri, token or credential
 * @returns `counts` and `files` are each scan's: rows, and files that it opens
 */
export async function scanIceberg(
  catalog: Record<string, string>,
  table: readonly [namespace: string, name: string],
  scans: readonly Scan[],
): Promise<
  { namespaces: string[][]; snapshots: number[]; counts: number[]; files: number[] }
> {
  const process = new Deno.Command("python3", {
    args: ["-c", script],
    env: { PYTHONPATH: folder },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify({ catalog, table, scans })));
  await writer.close();
  const { success, stdout, stderr } = await process.output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}
