/**
 * The way of a client: a user of doctor's own uploads a kilobyte to a dataset of its own, reads it by the URLs that
 * come back, and deletes it. User and dataset are used again at each run.
 */
import { createHash, createHmac } from "node:crypto";
import { parquetWriteBuffer } from "hyparquet-writer";
import { type Item, ok, unknown, wrong } from "./item.ts";
import { ask, functionsOf, said, type Target } from "./target.ts";

/** The address of doctor's user. */
const doctorEmail = "sediment-doctor@example.com";

const seeLog = "see the functions' log";

interface User {
  id: string;
  token: string;
}

/** Signs doctor's user in, and makes it where there is none; or says why that can't be. */
async function signIn(target: Target): Promise<User | Item> {
  const auth = `${target.url}/auth/v1`;
  const headers = { authorization: `Bearer ${target.key}` };
  // Of the key, so that nothing has to be kept; after a new key the password is set again.
  const password = createHmac("sha256", target.key).update("sediment doctor").digest("base64url");
  const credentials = { email: doctorEmail, password };
  const signIn = async (): Promise<User | null> => {
    const { json } = await ask(target, `${auth}/token?grant_type=password`, {
      method: "POST",
      json: credentials,
    });
    return json?.access_token ? { id: json.user.id, token: json.access_token } : null;
  };
  const there = await signIn();
  if (there !== null) return there;
  const made = await ask(target, `${auth}/admin/users`, {
    method: "POST",
    headers,
    json: { ...credentials, email_confirm: true },
  });
  if (made.status === 422) {
    // It is there with the password of an older key.
    const listed = await ask(target, `${auth}/admin/users?per_page=1000`, { headers });
    const user = listed.json?.users?.find((user: { email: string }) => user.email === doctorEmail);
    if (user === undefined) return unknown("upload", `no user could be made: ${said(made)}`);
    await ask(target, `${auth}/admin/users/${user.id}`, {
      method: "PUT",
      headers,
      json: { password },
    });
  } else if (made.status >= 400) {
    // The embedded stack's Auth has no admin API, and confirms by itself.
    await ask(target, `${auth}/signup`, { method: "POST", json: credentials });
  }
  return await signIn() ?? unknown(
    "upload",
    `doctor's user ${doctorEmail} could not sign in`,
    "delete that user in Authentication → Users, and look again",
  );
}

/** Uploads, reads, deletes: `urls` tells of the addresses, `upload` and `deletion` of the rest. */
export async function checkUpload(target: Target): Promise<Item[]> {
  const user = await signIn(target);
  const nothing = "nothing was uploaded";
  if ("state" in user) return [user, unknown("urls", nothing), unknown("deletion", nothing)];
  const items = await uploadAndRead(target, user);
  const uploaded = items.some(({ name, state }) => name === "upload" && state === "ok");
  return [...items, uploaded ? await deleteAgain(target, user) : unknown("deletion", nothing)];
}

/** Takes out what this run and earlier ones that were cut off have stored. */
async function deleteAgain(target: Target, user: User): Promise<Item> {
  const url = `${functionsOf(target)}/battle-data/datasets/${datasetOf(user.id)}/tables/doctor`;
  const headers = { authorization: `Bearer ${user.token}` };
  const answer = await ask(target, `${url}?purge=now`, { method: "DELETE", headers, key: null });
  // 202: readers see it no more, and the clockwork does the rest.
  return answer.status === 200 || answer.status === 202
    ? ok("deletion", `${answer.json.files} files of doctor's are deleted again`)
    : wrong("deletion", `what was uploaded can't be deleted: ${said(answer)}`, seeLog);
}

/** Uploads, and reads with a Range. */
async function uploadAndRead(target: Target, user: User): Promise<Item[]> {
  const headers = { authorization: `Bearer ${user.token}` };
  const base = functionsOf(target);
  const dataset = datasetOf(user.id);
  const file = kilobyte();
  const planned = await ask(target, `${base}/battle-data/upload`, {
    method: "POST",
    headers,
    key: null,
    json: {
      ...{ dataset_id: dataset, table: "doctor", period_tag: "0", file_size: file.length },
      content_hash: createHash("sha256").update(file).digest("hex"),
    },
  });
  if (planned.status !== 200) {
    return [
      wrong("upload", `a user's upload is refused: ${said(planned)}`, mendOf(planned.json?.reason)),
      unknown("urls", "no URL was handed out"),
    ];
  }
  const { uploadUrl } = planned.json;
  const stored = await ask(target, uploadUrl, { method: "PUT", body: file, key: null });
  if (stored.json?.key === undefined) {
    const found = `${originOf(uploadUrl)} was handed out for the upload; there ${said(stored)}`;
    return stored.json?.code === undefined
      ? [
        unknown("upload", "the upload URL led nowhere"),
        wrong("urls", found, "PUBLIC_URL of the functions"),
      ]
      : [
        wrong("upload", said(stored), seeLog),
        unknown("urls", "nothing was stored"),
      ];
  }
  const uploaded = ok("upload", `${file.length} bytes are stored as ${stored.json.key}`);
  const latest = await ask(
    target,
    `${base}/battle-data/latest?dataset_id=${dataset}&table=doctor`,
    {
      headers,
      key: null,
    },
  );
  const files = latest.json?.files as { url?: string }[] | undefined;
  // A compaction may have taken the fragment up by now: then any file of the table will do.
  const url = files?.find((file) => file.url?.includes(stored.json.key))?.url ?? files?.at(-1)?.url;
  if (url === undefined) {
    return [
      wrong("upload", `it is not listed: ${said(latest)}`, seeLog),
      unknown("urls", "none came"),
    ];
  }
  const part = await ask(target, url, { headers: { range: "bytes=0-3" }, key: null });
  if (part.status === 206 && part.text === "PAR1") {
    return [
      uploaded,
      ok("urls", `${originOf(uploadUrl)} takes uploads, ${originOf(url)} gives ranges`),
    ];
  }
  const mend = "SUPABASE_PUBLIC_URL or SEDIMENT_STORAGE_PUBLIC_URL of the functions";
  const found = `${originOf(url)} was handed out for downloads; a range there met ${said(part)}`;
  return [uploaded, wrong("urls", found, mend)];
}

function mendOf(reason: unknown): string {
  if (reason === "token_iss") {
    return "SEDIMENT_JWT_ISSUERS of the functions: what Auth calls itself, such as https://your.domain/auth/v1";
  }
  return reason === "no_signing_keys" || reason === "invalid_jwt"
    ? "let the functions know Auth's signing keys: see the item jwks"
    : seeLog;
}

/** A dataset that is the user's at every run. */
function datasetOf(userId: string): string {
  const hex = createHash("sha256").update(`sediment doctor ${userId}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${
    hex.slice(20, 32)
  }`;
}

/** A Parquet file of about a kilobyte that no earlier run has sent. */
function kilobyte(): Uint8Array<ArrayBuffer> {
  const data = [...crypto.getRandomValues(new Int32Array(200))];
  return new Uint8Array(
    parquetWriteBuffer({ columnData: [{ name: "n", data, type: "INT32" }], codec: "UNCOMPRESSED" }),
  );
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url;
}
