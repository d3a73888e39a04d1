/**
 * The function's own CPU for one upload of 12 tables in a body of 60 KB, in process and without a network: the
 * whole handler with the real checks (token, form, hash, footers, every page decoded), supabase-js and the store's
 * adapter. What they would wait for answers at once: the sockets' own work and JWT signatures, which are remembered
 * for a minute, are not in it.
 */
import { createClient } from "@supabase/supabase-js";
import { Buffer } from "node:buffer";
import process from "node:process";
import { createBattleDataApp } from "../../../functions/battle-data/app.ts";
import { createCatalog } from "../../../shared/catalog/catalog.ts";
import { groupUploads } from "../../../shared/catalog/group_uploads.ts";
import { createSupabaseStore } from "../../../shared/storage/supabase_store.ts";
import { makeFragments } from "../../support/fragments.ts";
import { alice, httpWorld, tokenOf } from "../../support/http_world.ts";

/** CPU milliseconds an upload, user and system, of all threads of the process. */
export interface TwelveTables {
  case: "12 tables";
  bytes: number;
  uploads: number;
  cpu_p50_ms: number;
  cpu_p99_ms: number;
  cpu_mean_ms: number;
}

/** Rows a table; makes a body of about 60 KB. */
const rowsEach = 40;

/** @param uploads how many are measured, after a quarter of them to warm up */
export async function twelveTables(uploads: number): Promise<TwelveTables> {
  const { bytes, offsets } = await body();
  const app = createBattleDataApp(services());
  const headers = { authorization: `Bearer ${await tokenOf(alice)}` };
  const spent: number[] = [];
  for (let n = -uploads / 4; n < uploads; n++) {
    const form = new FormData();
    // Another dataset each time: the body is no duplicate.
    const metadata = { dataset_id: crypto.randomUUID(), table: "all", table_offsets: offsets };
    form.set("metadata", JSON.stringify(metadata));
    form.set("file", new Blob([bytes]), "body.bin");
    // Written as bytes before the clock runs: encoding is the client's work.
    const encoded = new Response(form);
    const request = new Request("http://edge.local/battle-data/upload", {
      method: "POST",
      headers: { ...headers, "content-type": encoded.headers.get("content-type")! },
      body: await encoded.bytes(),
    });
    const before = process.cpuUsage();
    const response = await app.fetch(request);
    const { user, system } = process.cpuUsage(before);
    if (!response.ok) throw new Error(await response.text());
    await response.body?.cancel();
    if (n >= 0) spent.push((user + system) / 1000);
  }
  spent.sort((a, b) => a - b);
  const round = (ms: number) => Number(ms.toFixed(2));
  return {
    case: "12 tables",
    bytes: bytes.length,
    uploads,
    cpu_p50_ms: round(spent[Math.floor(uploads / 2)]),
    cpu_p99_ms: round(spent[Math.floor(uploads * 0.99)]),
    cpu_mean_ms: round(spent.reduce((sum, ms) => sum + ms, 0) / uploads),
  };
}

async function body() {
  const folder = await Deno.makeTempDir({ prefix: "sediment-bench-tables-" });
  try {
    const files = await makeFragments(folder, 12, rowsEach);
    const parts = await Promise.all(files.map(({ path }) => Deno.readFile(path)));
    let at = 0;
    const offsets = parts.map(({ length }, n) => {
      const start_byte = at;
      at += length;
      return { table_name: `table_${n}`, start_byte, byte_length: length, num_rows: rowsEach };
    });
    return { bytes: new Uint8Array(Buffer.concat(parts)), offsets };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The services of an app whose PostgREST and Storage answer at once. */
function services() {
  const { services } = httpWorld();
  const { SUPABASE_URL: url, SEDIMENT_BUCKET: bucket, secretKey } = services.env;
  const answer: typeof fetch = (input, init) =>
    Promise.resolve(Response.json(answerTo(String(input), init)));
  const catalog = createCatalog(createClient(url, secretKey, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    global: { fetch: answer },
  }));
  const store = createSupabaseStore({ url, secretKey, bucket, fetch: answer });
  return { ...services, catalog: groupUploads(catalog), store };
}

function answerTo(url: string, init?: RequestInit): unknown {
  if (!url.endsWith("/rpc/call_quietly")) return { Key: "key", Id: crypto.randomUUID() };
  const { p_function: name, p_args: args } = JSON.parse(String(init?.body));
  return { answer: answerOf(name, args) };
}

// deno-lint-ignore no-explicit-any -- the arguments of either function
function answerOf(functionName: string, args: any): unknown {
  const now = new Date().toISOString();
  if (functionName === "stage_upload") {
    return {
      stage_id: crypto.randomUUID(),
      dataset_id: args.p_dataset,
      object_key: `battle_data/${crypto.randomUUID()}/all/0/${crypto.randomUUID()}.bin`,
      incoming_key: null,
      expires_at: now,
      duplicate: false,
      answer: null,
    };
  }
  const { p_files: files, p_size: size, p_stage: stage } = args;
  const metricId = crypto.randomUUID();
  const places = files.map(({ table, period_tag }: Record<string, unknown>) => ({
    table,
    period_tag,
  }));
  return {
    ...{ key: stage, size, uploaded_at: now, metricId, duplicate: false, version: 1 },
    dataset_id: crypto.randomUUID(),
    files: places.map((place: object, n: number) => ({
      id: n + 1,
      ordinal: n,
      row_count: 1,
      ...place,
    })),
    runs: places.map((place: object) => ({ metricId, ...place })),
  };
}
