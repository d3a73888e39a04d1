/**
 * Files with pages that unpack to far more than they declare, and what a merge and a check make of them in a process of
 * their own. Run as a script it is that process. Runs on Deno 2.1 too, whose node:zlib has no limit.
 */
import { parquetWriteBuffer } from "hyparquet-writer";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { SedimentError } from "../../../shared/errors.ts";
import { checkValues } from "../../../shared/parquet/inspect/check_values.ts";
import { normalizer } from "../../../shared/parquet/merge/decode/normalize.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { mergeBytes } from "./merge_bytes.ts";
import { peakAbove } from "../peak_memory.ts";
import { runAlone } from "../../support/run_alone.ts";

const MiB = 1024 * 1024;

/** What the bombs unpack to. */
const bombBytes = 512 * MiB;

/** Zeros by brotli at quality 5, in one stream. */
const brotliBomb = Uint8Array.from(
  atob(
    "z///fwAkAOKxQHLv//n//w+ABEAcFoDu/T////8BkACIwwLQvf/n//8/ABIAcVgAuvf//P//B0ACIA4LQPf+n///" +
      "/wBIAMRhAeje//P//x8ACYA4LADd+3/+//8DIAEQhwWge//P//9/ACQA4rAAdO//+f//D4AEQBwWgO79P////wGQ" +
      "AIjDAtC9/+f//z8AEgBxWAC69//8//8HQAIgDgtA9/6f////AEgAxGEB6N7/8///HwAJgDgsAN37f/7//wMgARCH" +
      "BaB7/8///38AJADisAB07//5//8PgARAHBaA7v0/////AZAAiMMC0L3/5///PwASAHFYALr3//z//wdAAiAOC0D3" +
      "/p////8ASADEYQHo3v/z//8fAAmAOCwA3ft//v//AyABEIcFoHv/z///fwAkAOKwAHTv//n//w+ABEAcFoDu/T//" +
      "//8BkACIwwLQvf/n//8/ABIAcVgAuvf//P//B0ACIA4LQPf+n////wBIAMRhAeje//P//x8ACYA4LADd+//8//8H" +
      "IAEQhwWge/8P",
  ),
  (letter) => letter.charCodeAt(0),
);

export function gzipBomb(): Uint8Array {
  const member = gzipSync(new Uint8Array(MiB));
  const bomb = new Uint8Array(member.length * (bombBytes / MiB));
  for (let at = 0; at < bomb.length; at += member.length) bomb.set(member, at);
  return bomb;
}

export type BombCodec = "GZIP" | "BROTLI";

export const compressors = {
  GZIP: { good: (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes)), bomb: gzipBomb },
  BROTLI: {
    good: (bytes: Uint8Array) => new Uint8Array(brotliCompressSync(bytes)),
    bomb: () => brotliBomb,
  },
};

function fileOf(codec: BombCodec, compress: (bytes: Uint8Array) => Uint8Array) {
  const data = Array.from({ length: 3_000 }, (_, n) => n * 7);
  return new Uint8Array(parquetWriteBuffer({
    columnData: [{ name: "n", data, type: "INT32" }],
    codec,
    compressors: { [codec]: compress },
  }));
}

/** What came of it, and by how much the process's memory peaked above what it had, in bytes. */
export interface Alone<Result> {
  result: Result;
  grown: number;
}

export interface Merged {
  merged: string[];
  /** Codes of errors. */
  rejected: string[];
  rowCount: number;
}

export interface Checked {
  /** Whether all of the sound file could be checked. */
  sound: boolean;
  /** The same of the bomb, or the code of its error. */
  bomb: boolean | string;
}

const steps = { merge: mergeWithBomb, check: checkBomb };

/** A merge of a bomb between two sound files of 3,000 rows, in a process of its own. */
export const mergeAlone = (codec: BombCodec) =>
  runAlone<Alone<Merged>>(import.meta.url, ["merge", codec]);

/** The check of an upload, of a sound file and of a bomb, in a process of its own. */
export const checkAlone = (codec: BombCodec) =>
  runAlone<Alone<Checked>>(import.meta.url, ["check", codec]);

async function mergeWithBomb(codec: BombCodec): Promise<Alone<Merged>> {
  const good = fileOf(codec, compressors[codec].good);
  const bomb = fileOf(codec, compressors[codec].bomb);
  let result!: Merged;
  const grown = await peakAbove(async () => {
    const { result: { merged, rejected, rowCount } } = await mergeBytes(
      [good, bomb, good],
      9_000,
      { normalize: normalizer() },
    );
    result = { merged, rejected: rejected.map(({ error }) => error.code), rowCount };
  });
  return { result, grown };
}

async function checkBomb(codec: BombCodec): Promise<Alone<Checked>> {
  const good = fileOf(codec, compressors[codec].good);
  const bomb = fileOf(codec, compressors[codec].bomb);
  const sound = await checkValues(good, inspectParquetBytes(good));
  let result!: Checked;
  const grown = await peakAbove(async () => {
    try {
      result = { sound, bomb: await checkValues(bomb, inspectParquetBytes(bomb)) };
    } catch (error) {
      if (!(error instanceof SedimentError)) throw error;
      result = { sound, bomb: error.code };
    }
  });
  return { result, grown };
}

if (import.meta.main) {
  const [step, codec] = Deno.args as [keyof typeof steps, BombCodec];
  console.log(JSON.stringify(await steps[step](codec)));
}
