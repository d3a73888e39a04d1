/** One data file from the store to the disk: streamed, checked, tried again where that can help. */
import { createHash } from "node:crypto";
import { open, rename, rm, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { asSedimentError, isErrorCode, SedimentError } from "../../../errors.ts";
import type { DataFile } from "../answers.ts";
import { hashFile } from "./hash_file.ts";

const tries = 4;
/** A download that stands still for this long is begun anew. */
const stallMs = 30_000;

/** What a download came to. `unreadable`: the service itself can't read the file, and says so. */
export type Downloaded =
  | { status: "downloaded"; sha256: string }
  | { status: "unreadable" | "failed"; code: string; message: string };

/**
 * Downloads a file to `path`. What an earlier pull has downloaded whole is taken as it is.
 *
 * @param renew another URL of the file, when this one has ended; null when the file is gone
 */
export async function downloadFile(
  file: DataFile,
  path: string,
  renew: (file: DataFile) => Promise<string | null>,
  signal: AbortSignal,
): Promise<Downloaded> {
  const there = await stat(path).catch(() => null);
  if (there?.size === file.size) {
    const sha256 = await hashFile(path);
    if (file.sha256 === undefined || file.sha256 === sha256) {
      return { status: "downloaded", sha256 };
    }
  }
  let { url } = file;
  let failed = { code: "store_failed", message: "it was not tried" };
  for (let n = 0; n < tries && !signal.aborted; n++) {
    if (n > 0) await sleep(250 * 2 ** n * Math.random(), undefined, { signal }).catch(() => {});
    if (url === undefined) {
      const { code, message } = file.error ?? { code: "object_missing", message: "it has no URL" };
      return { status: "unreadable", code, message };
    }
    try {
      return { status: "downloaded", sha256: await once(url, file, path, signal) };
    } catch (thrown) {
      const { code, message, extra } = asSedimentError(thrown);
      failed = { code, message };
      const status = Number(extra?.status ?? 0);
      const gone = code === "object_missing" || status === 404 || status === 410;
      if (gone && n > 0) return { status: "unreadable", code: "object_missing", message };
      // A signature that has ended is refused in as many ways as there are stores.
      if (status >= 400 && status < 500) url = await renew(file).catch(() => url) ?? undefined;
    }
  }
  return { status: "failed", ...failed };
}

/** @returns the SHA-256 of what came */
async function once(
  url: string,
  file: DataFile,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  const stalled = new AbortController();
  const ends = AbortSignal.any([signal, stalled.signal]);
  let timer = setTimeout(() => stalled.abort(), stallMs);
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => stalled.abort(), stallMs);
  };
  const part = `${path}.part`;
  try {
    const response = await fetch(url, { signal: ends }).catch((cause) => {
      throw new SedimentError("server_unreachable", `file ${file.id}: ${cause.message}`, { cause });
    });
    if (response.status !== 200 || !response.body) throw await refusal(response, file);
    const hash = createHash("sha256");
    let size = 0;
    const out = await open(part, "w");
    try {
      for await (const piece of response.body) {
        alive();
        size += piece.length;
        if (size > file.size) break;
        hash.update(piece);
        await out.writeFile(piece);
      }
      await out.sync();
    } finally {
      await out.close();
    }
    if (size !== file.size) {
      throw new SedimentError("size_mismatch", `file ${file.id}: ${size} bytes came`, {
        expected: `${file.size} bytes`,
      });
    }
    const sha256 = hash.digest("hex");
    if (file.sha256 !== undefined && file.sha256 !== sha256) {
      throw new SedimentError("hash_mismatch", `file ${file.id}: its SHA-256 is ${sha256}`, {
        expected: file.sha256,
      });
    }
    await rename(part, path);
    return sha256;
  } catch (thrown) {
    await rm(part, { force: true });
    throw thrown;
  } finally {
    clearTimeout(timer);
  }
}

async function refusal(response: Response, file: DataFile): Promise<SedimentError> {
  const { status } = response;
  const problem = await response.json().catch(() => null);
  const code = isErrorCode(problem?.code) ? problem.code : "store_failed";
  const detail = typeof problem?.detail === "string" ? `: ${problem.detail}` : "";
  return new SedimentError(code, `file ${file.id}: HTTP ${status}${detail}`, { extra: { status } });
}
