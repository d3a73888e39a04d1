/** One request of as many tables as there are bodies. */
import { Buffer } from "node:buffer";
import type { Stack } from "../../../supabase/local/stack.ts";
import type { TestUser } from "../../support/client.ts";

/**
 * Uploads the bodies as one, each as a table of its own.
 *
 * @param rowsEach rows of each body
 */
export async function upload(
  stack: Stack,
  user: TestUser,
  dataset: string,
  bodies: Uint8Array[],
  rowsEach: number,
): Promise<void> {
  let start = 0;
  const offsets = bodies.map(({ length }, n) => {
    const offset = {
      table_name: `table_${n}`,
      start_byte: start,
      byte_length: length,
      num_rows: rowsEach,
    };
    start += length;
    return offset;
  });
  const form = new FormData();
  form.set(
    "metadata",
    JSON.stringify({ dataset_id: dataset, table: "all", period_tag: "p", table_offsets: offsets }),
  );
  form.set("file", new Blob([new Uint8Array(Buffer.concat(bodies))]), "tables.bin");
  const answer = await fetch(`${stack.url}/functions/v1/battle-data/upload`, {
    method: "POST",
    headers: user.headers,
    body: form,
  });
  if (!answer.ok) throw new Error(await answer.text());
  await answer.body?.cancel();
}
