/** Files that part others in a table where the last writer of a key wins, and are deleted: those at their sides may meet then. */
import { createHash } from "node:crypto";
import { SedimentError } from "../../../shared/errors.ts";
import { uploadAtOnce } from "../../../shared/uploads/receive_upload.ts";
import type { UploadRequest } from "../../../shared/uploads/upload_request.ts";
import type { Owner } from "./actors.ts";
import { encodeRows, inspectRows, latest } from "./rows.ts";
import type { World } from "./world.ts";

/** A period to which nobody else sends. */
const period = "parted";

/** Sends three files, the second of another schema, and once nothing is due there deletes that one. */
export async function parter(world: World, name: string, { user, dataset }: Owner): Promise<void> {
  const clock = world.clockOf(name);
  const ports = {
    catalog: world.catalogOf(name),
    store: world.storeOf(name),
    inspect: inspectRows,
  };
  for (const [n, schema] of ["schema-a", "schema-b", "schema-a"].entries()) {
    // as uploads of one slice have them
    const rows = [`${latest}/${n}@${name}.0:0`];
    const bytes = encodeRows({ schema, rows });
    const hash = createHash("sha256").update(bytes).digest("hex");
    world.uploads.push({
      dataset,
      table: latest,
      period,
      hash,
      rows,
      acknowledged: false,
    });
    const upload = world.uploads.at(-1)!;
    const request = {
      datasetId: dataset,
      table: latest,
      periodTag: period,
      size: bytes.byteLength,
      contentHash: hash,
      concatenated: false,
      slices: [{ table: latest, start: 0, length: bytes.byteLength, format: "parquet" }],
    } as UploadRequest;
    for (let attempt = 0; attempt < 5 && !upload.acknowledged; attempt++) {
      await trying(async () => {
        upload.answer = await uploadAtOnce(ports, user, request, bytes, { ttlSeconds: 120 });
        upload.acknowledged = true;
      });
    }
    if (!upload.acknowledged) return;
  }
  for (let look = 0; look < 20; look++) {
    const [found] = await world.database.sql`
      select u.id, p.msg_id is null and p.tier_files is not null as rests from public.partitions p
      join public.uploads u on u.dataset_id = p.dataset_id and u."table" = p."table" and u.period_tag = p.period_tag
      join public.battle_files f on f.upload_id = u.id and f.removed_version is null
        and sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest) = 'schema-b'
      where p.dataset_id = ${dataset} and p."table" = ${latest} and p.period_tag = ${period}`;
    if (found === undefined) return;
    if (found.rests) {
      await trying(() => ports.catalog.deleteUpload({ user, upload: String(found.id) }));
      return;
    }
    await clock.sleep(60_000);
  }
}

async function trying(action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (thrown) {
    if (!(thrown instanceof SedimentError)) throw thrown;
  }
}
