/** What an upload leaves behind, counted in the catalog and in the store; a refused one must leave nothing. */
import postgres from "postgres";
import type { Stack } from "../../supabase/local/stack.ts";

/** Counts of what is there. */
export interface Traces {
  /** Acknowledged uploads. */
  uploads: number;
  /** Data files. */
  files: number;
  runs: number;
  /** Messages in the three queues. */
  messages: number;
  /** Objects that the catalog calls stored. */
  objects: number;
  /** Objects that the store holds, whatever the catalog says. */
  stored: number;
  assets: number;
}

/** Reads {@link Traces} as often as asked. */
export function openTraces(stack: Stack) {
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  return {
    sql,
    async read(): Promise<Traces> {
      const [row] = await sql`
        select (select count(*)::int from public.uploads) as uploads,
          (select count(*)::int from public.battle_files) as files,
          (select count(*)::int from public.processing_metrics) as runs,
          (select count(*)::int from sediment.queue_messages) as messages,
          (select count(*)::int from public.objects where state = 'stored') as objects,
          (select count(*)::int from public.assets) as assets`;
      return { ...row, stored: await countObjects(stack) } as Traces;
    },
    [Symbol.asyncDispose]: () => sql.end({ timeout: 2 }),
  };
}

/** Objects below the bucket's root, folder by folder, by the Storage API. */
async function countObjects(stack: Stack, prefix = ""): Promise<number> {
  const response = await fetch(`${stack.url}/storage/v1/object/list/sediment`, {
    method: "POST",
    headers: {
      apikey: stack.secretKey,
      authorization: `Bearer ${stack.secretKey}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ prefix, limit: 1000 }),
  });
  if (!response.ok) throw new Error(`list ${prefix}: ${await response.text()}`);
  const rows: { name: string; id: string | null }[] = await response.json();
  let count = 0;
  for (const row of rows) {
    const path = prefix === "" ? row.name : `${prefix}/${row.name}`;
    count += row.id === null ? await countObjects(stack, path) : 1;
  }
  return count;
}
