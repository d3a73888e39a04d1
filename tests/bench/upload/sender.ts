/** The client of `deno task bench upload`: what it sends to a stack, and how many at once. */
import postgres from "postgres";
import { signUp } from "../../support/client.ts";
import type { Address } from "./bench_stack.ts";
import { boundary, multipartBodies, nextFile } from "./bodies.ts";

/** Sends to one stack, as one user, to one table. */
export interface Sender {
  /** One upload of 60 KB that nobody has sent before. Throws where it is refused. */
  upload(): Promise<void>;
  /** As many bytes to the Storage endpoint. */
  put(): Promise<void>;
  /** Milliseconds by name, from the Server-Timing of the answers that were read, and how many were. */
  timing: { spent: Record<string, number>; read: number };
}

/** Of so many uploads one has its answer read: what the client does with it takes cores that the stack shares. */
const readEvery = 8;

export async function createSender(stack: Address): Promise<Sender> {
  await liftRates(stack.adminDbUrl);
  const user = await signUp(stack, `bench-${crypto.randomUUID()}@example.com`);
  const nextBody = multipartBodies(crypto.randomUUID());
  const timing: Sender["timing"] = { spent: {}, read: 0 };
  let sent = 0;
  return {
    timing,
    async upload() {
      const response = await fetch(`${stack.url}/functions/v1/battle-data/upload`, {
        method: "POST",
        headers: { ...user.headers, "content-type": `multipart/form-data; boundary=${boundary}` },
        body: nextBody(),
      });
      if (response.ok && sent++ % readEvery !== 0) return void await response.body?.cancel();
      const answer = await response.json();
      if (!response.ok || answer.duplicate) throw new Error(JSON.stringify(answer));
      timing.read++;
      for (const part of (response.headers.get("server-timing") ?? "").split(", ")) {
        const [, name, ms] = /^(\w+);dur=([\d.]+)$/.exec(part) ?? [];
        if (name !== undefined) timing.spent[name] = (timing.spent[name] ?? 0) + Number(ms);
      }
    },
    async put() {
      const response = await fetch(
        `${stack.url}/storage/v1/object/sediment/bench/${crypto.randomUUID()}.parquet`,
        {
          method: "POST",
          headers: {
            apikey: stack.secretKey,
            authorization: `Bearer ${stack.secretKey}`,
            "content-type": "application/octet-stream",
          },
          body: nextFile(),
        },
      );
      if (!response.ok) throw new Error(await response.text());
      await response.body?.cancel();
    },
  };
}

/** One user sends more than one may: what is measured is the way of an upload, its limits included, not a refusal. */
async function liftRates(adminDbUrl: string): Promise<void> {
  const sql = postgres(adminDbUrl, { max: 1, onnotice: () => {} });
  try {
    // A tree that is measured beside this one may be older than these limits.
    const limits = await sql`select attname from pg_attribute
      where attrelid = 'public.service_settings'::regclass
        and attname in ('uploads_per_minute', 'upload_bytes_per_day')`;
    if (limits.length === 0) return;
    await sql`update public.service_settings set uploads_per_minute = 1000000, upload_bytes_per_day = 1e15`;
  } finally {
    await sql.end();
  }
}

/** Calls a number of times, so many at once; gives the milliseconds of each call and of all. */
export async function load(count: number, concurrency: number, call: () => Promise<void>) {
  const each: number[] = [];
  let left = count;
  const begun = performance.now();
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (left-- > 0) {
      const start = performance.now();
      await call();
      each.push(performance.now() - start);
    }
  }));
  return { each, ms: performance.now() - begun };
}
