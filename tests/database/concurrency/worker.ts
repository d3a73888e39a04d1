/** Uploads and compactions as their functions make them, without bytes: for tests that count rows. */
import { createHash } from "node:crypto";
import type { Catalog } from "../../../shared/catalog/catalog.ts";
import type { Claim, OutputFile } from "../../../shared/catalog/run_results.ts";
import type { UploadedFile } from "../../../shared/catalog/upload_results.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** The data files of a body that holds one slice of ten rows for each table. */
function slices(tables: string[]): UploadedFile[] {
  return tables.map((table, ordinal) => ({
    ordinal,
    table,
    period_tag: "0",
    start_byte: ordinal * 100,
    byte_length: 100,
    row_count: 10,
    row_group_count: 1,
    uncompressed_bytes: 400,
    schema_fingerprint: `f-${table}`,
    schema: { name: "root" },
    stats: null,
  }));
}

/** Stages and commits one body. */
export async function upload(
  catalog: Catalog,
  { user, dataset, body, tables }: {
    user: string;
    dataset: string;
    body: string;
    tables: string[];
  },
) {
  const size = tables.length * 100;
  const contentHash = sha256(body);
  const stage = await catalog.stageUpload({
    user,
    dataset,
    table: tables[0],
    periodTag: "0",
    size,
    contentHash,
    offsetsDigest: tables.join(),
    kind: "concatenated",
  });
  return await catalog.commitUpload({
    stage: stage.stage_id,
    user,
    size,
    etag: "etag",
    contentHash,
    files: slices(tables),
  });
}

/** Plans an output that holds all rows of the given inputs. */
export async function stageOutput(
  catalog: Catalog,
  claim: Claim,
  inputs: Claim["files"],
): Promise<OutputFile> {
  const { run_id: run, outputs_committed: n, token } = claim;
  const { object_key } = await catalog.stageOutput({ run, n, token, expectedBytes: 100 });
  return {
    object_key: object_key!,
    size: 100,
    etag: "etag",
    row_count: inputs.reduce((rows, file) => rows + file.row_count, 0),
    row_group_count: 1,
    uncompressed_bytes: 400,
    schema_fingerprint: `f-${claim.table}`,
    schema: { name: "root" },
    stats: null,
  };
}

/** Merges everything that a claim lists, as the run's last commit. */
export async function compact(catalog: Catalog, claim: Claim) {
  const { run_id: run, outputs_committed: n, token } = claim;
  const inputs = claim.files.filter((file) => file.state === "active");
  const output = inputs.length ? await stageOutput(catalog, claim, inputs) : null;
  return await catalog.commitCompaction({
    run,
    n,
    token,
    inputs: inputs.map((file) => file.id),
    output,
    last: true,
    result: { decision: "all of it" },
  });
}
