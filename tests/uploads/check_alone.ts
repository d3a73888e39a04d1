/**
 * Checks the upload whose path it is given, as the functions do, in a process of its own, and prints what became of it, how far
 * the process's memory grew at most and what CPU it took.
 */
import { checkValues } from "../../shared/parquet/inspect/check_values.ts";
import { inspectInTurns } from "../../shared/parquet/inspect/inspect.ts";
import { asSedimentError } from "../../shared/errors.ts";
import { checkSlices } from "../../shared/uploads/check_slices.ts";
import { createCheckTurns } from "../../shared/uploads/check_turns.ts";
import { sha256 } from "../../shared/uploads/digests.ts";
import { uploadRequestOf } from "../../shared/uploads/upload_request.ts";
import { runAlone } from "../support/run_alone.ts";

export interface CheckedAlone {
  rowCount?: number;
  code?: string;
  message?: string;
  /** Bytes that the process's resident memory was larger by at its peak. */
  grown: number;
  /** CPU of all of the process's threads, ms. */
  cpuMs: number;
}

/** What becomes of a file, in a process of its own. Linux only: /proc. */
export async function checkAlone(file: Uint8Array): Promise<CheckedAlone> {
  const path = await Deno.makeTempFile({ suffix: ".parquet" });
  try {
    await Deno.writeFile(path, file);
    return await runAlone<CheckedAlone>(import.meta.url, [path]);
  } finally {
    await Deno.remove(path);
  }
}

function peakBytes(): number {
  const status = Deno.readTextFileSync("/proc/self/status");
  return Number(/VmHWM:\s+(\d+)/.exec(status)![1]) * 1024;
}

/** Fields 14 and 15 of proc_pid_stat(5): hundredths of a second. */
function cpuMs(): number {
  const stat = Deno.readTextFileSync("/proc/self/stat");
  const [user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13);
  return (Number(user) + Number(system)) * 10;
}

if (import.meta.main) {
  const body = await Deno.readFile(Deno.args[0]);
  const request = uploadRequestOf({
    dataset_id: crypto.randomUUID(),
    table: "t",
    period_tag: "p",
    file_size: body.length,
    content_hash: sha256(body),
  });
  const ports = {
    inspect: inspectInTurns,
    checkValues: (
      bytes: Uint8Array,
      facts: Parameters<typeof checkValues>[1],
      pause: NonNullable<Parameters<typeof checkValues>[2]>["pause"],
    ) => checkValues(bytes, facts, { pause }),
    turns: createCheckTurns(),
  };
  const before = peakBytes(), cpuBefore = cpuMs();
  const result: Partial<CheckedAlone> = {};
  try {
    result.rowCount = (await checkSlices(ports, request, body, "u")).files[0].row_count;
  } catch (thrown) {
    const { code, message } = asSedimentError(thrown);
    Object.assign(result, { code, message });
  }
  console.log(
    JSON.stringify({ ...result, grown: peakBytes() - before, cpuMs: cpuMs() - cpuBefore }),
  );
}
