/** The calls that the demo makes, as any client would: plain HTTP with a user's token. */

/** Where to call and as whom. */
export interface Session {
  url: string;
  publishableKey: string;
  accessToken: string;
}

/** A file that the service took, or the problem with which it refused it. */
export type UploadOutcome =
  | { accepted: true; metricId: string; duplicate: boolean }
  | { accepted: false; status: number; code: string; detail: string };

/** One file of the manifest. */
export interface ManifestFile {
  id: number;
  table: string;
  size: number;
  level: number;
  state: string;
  row_count: number;
  row_group_count: number;
  url: string;
}

function headers(session: Session): Record<string, string> {
  return { apikey: session.publishableKey, authorization: `Bearer ${session.accessToken}` };
}

/** Sends one file as a one-request upload. */
export async function upload(
  session: Session,
  datasetId: string,
  table: string,
  periodTag: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<UploadOutcome> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hash = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const form = new FormData();
  form.set(
    "metadata",
    JSON.stringify({
      dataset_id: datasetId,
      table,
      period_tag: periodTag,
      file_size: bytes.length,
      content_hash: hash,
    }),
  );
  form.set("file", new Blob([bytes]), "fragment.parquet");
  const response = await fetch(`${session.url}/functions/v1/battle-data/upload`, {
    method: "POST",
    headers: headers(session),
    body: form,
  });
  const answer = await response.json();
  if (response.ok) {
    return { accepted: true, metricId: answer.metricId, duplicate: answer.duplicate };
  }
  return { accepted: false, status: response.status, code: answer.code, detail: answer.detail };
}

/** Asks for compaction of everything in the dataset that is in debt. */
export async function compact(session: Session, datasetId: string): Promise<void> {
  await expectJson(
    await fetch(`${session.url}/functions/v1/compaction`, {
      method: "POST",
      headers: { ...headers(session), "content-type": "application/json" },
      body: JSON.stringify({ datasetId }),
    }),
  );
}

/** The whole manifest of the dataset at its current version, with signed URLs. */
export async function manifest(session: Session, datasetId: string): Promise<ManifestFile[]> {
  const files: ManifestFile[] = [];
  let cursor: string | null = null;
  let version: number | undefined;
  do {
    const query = new URLSearchParams({ dataset_id: datasetId, limit: "500", signed: "1" });
    if (cursor) query.set("cursor", cursor);
    if (version !== undefined) query.set("version", String(version));
    const page = await expectJson(
      await fetch(`${session.url}/functions/v1/battle-data/chunks?${query}`, {
        headers: headers(session),
      }),
    );
    files.push(...page.files);
    version = page.version;
    cursor = page.next_cursor ?? null;
  } while (cursor);
  return files;
}

// deno-lint-ignore no-explicit-any
async function expectJson(response: Response): Promise<any> {
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.url} gave ${response.status}: ${text}`);
  return JSON.parse(text);
}
