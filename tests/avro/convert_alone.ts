/**
 * Converts the Avro file whose path it is given in a process of its own, and prints what it became and how far the process's
 * memory grew.
 */
import { avroToParquet } from "../../shared/avro/avro_to_parquet.ts";
import { SedimentError } from "../../shared/errors.ts";
import { runAlone } from "../support/run_alone.ts";

export interface Alone {
  rowCount?: number;
  code?: string;
  message?: string;
  extra?: Record<string, unknown>;
  /** Bytes that the process's resident memory was larger by at the end. */
  grown: number;
}

/** What {@link avroToParquet} makes of a file in a process of its own. */
export async function convertAlone(file: Uint8Array): Promise<Alone> {
  const path = await Deno.makeTempFile({ suffix: ".avro" });
  try {
    await Deno.writeFile(path, file);
    return await runAlone<Alone>(import.meta.url, [path]);
  } finally {
    await Deno.remove(path);
  }
}

if (import.meta.main) {
  const file = await Deno.readFile(Deno.args[0]);
  const before = Deno.memoryUsage().rss;
  const result: Omit<Alone, "grown"> = {};
  try {
    result.rowCount = (await avroToParquet(file)).rowCount;
  } catch (error) {
    if (!(error instanceof SedimentError)) throw error;
    Object.assign(result, { code: error.code, message: error.message, extra: error.extra });
  }
  console.log(JSON.stringify({ ...result, grown: Deno.memoryUsage().rss - before }));
}
