/**
 * icebird as npm carries it. It knows no catalog, no credentials and no S3 but Amazon's, whose addresses it makes of a table's: so it is
 * given the metadata, and a fetch that has what it asks of there signed by the catalog.
 */
import { strict as assert } from "node:assert";
import { icebergRead } from "icebird";

/** A table, and who reads it. */
export interface IcebirdTable {
  /** The table's address in the catalog. */
  url: string;
  token: string;
  bucket: string;
  /** @default the newest */
  snapshot?: number;
}

/** The table's rows; whole numbers may be bigints. */
export async function readByIcebird(table: IcebirdTable): Promise<Record<string, unknown>[]> {
  const { url, token, bucket, snapshot } = table;
  const headers = { authorization: `Bearer ${token}` };
  const loaded = await fetch(url, {
    headers: { ...headers, "x-iceberg-access-delegation": "remote-signing" },
  });
  assert.equal(loaded.status, 200);
  const { metadata, config } = await loaded.json();
  const sign = `${config["s3.signer.uri"]}/${config["s3.signer.endpoint"]}`;
  const base = `${config["s3.endpoint"]}/${bucket}/`;
  const itsBase = `https://${bucket}.s3.amazonaws.com/`;

  const plain = globalThis.fetch;
  const signing: typeof fetch = async (input, init = {}) => {
    const asked = String(input);
    if (!asked.startsWith(itsBase)) return await plain(input, init);
    const method = init.method ?? "GET";
    const uri = base + asked.slice(itsBase.length);
    const answer = await plain(sign, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ method, uri, region: config["s3.region"], headers: {} }),
    });
    const signed = await answer.json();
    assert.equal(answer.status, 200, JSON.stringify(signed));
    const all = new Headers(init.headers);
    for (const [name, [value]] of Object.entries<string[]>(signed.headers)) all.set(name, value!);
    return await plain(signed.uri, { ...init, headers: all });
  };
  globalThis.fetch = signing;
  try {
    const at = snapshot ?? metadata["current-snapshot-id"];
    return await icebergRead({
      tableUrl: metadata.location,
      metadata: { ...metadata, "current-snapshot-id": at },
    });
  } finally {
    globalThis.fetch = plain;
  }
}
