/**
 * What a pulled folder remembers, in `.sediment/pull.json`: whose it is, and each file that a pull put there,
 * with its hash. Nothing else in the folder is ever touched.
 */
import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import * as z from "zod/mini";
import { SedimentError } from "../../../errors.ts";
import { namePattern } from "../../../protocol/names.ts";

/** The version of the record that this code writes. */
const stateVersion = 1;

const name = namePattern.source.slice(1, -1);
/** `TABLE/PERIOD/ID.parquet`: a path of the state can't lead out of the folder, whoever wrote it. */
export const pulledPath = new RegExp(`^${name}/${name}/${name}\\.parquet$`);

const pulledFile = z.object({
  path: z.string().check(z.regex(pulledPath)),
  table: z.string(),
  period: z.string(),
  size: z.int(),
  sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  /** As it was written: a file that still has it needn't be hashed again. */
  modified_ms: z.number(),
  /** Of an older version: to be removed, or kept by `--keep`. */
  superseded: z.optional(z.boolean()),
});

/** A file that a pull put there. */
export type PulledFile = z.infer<typeof pulledFile>;

const pullState = z.object({
  v: z.literal(stateVersion),
  url: z.string(),
  dataset_id: z.string(),
  /** Version of the dataset that the last pull brought. */
  version: z.number(),
  files: z.array(pulledFile),
  /** What a switch to a new version had begun with: it is ended by the next pull, without a network. */
  next: z.optional(z.object({ version: z.number(), files: z.array(pulledFile) })),
});

/** See the file's head. */
export type PullState = z.infer<typeof pullState>;

/** Where it is. */
const statePath = (folder: string) => join(folder, ".sediment", "pull.json");

/** @throws `invalid_config` when there is one that can't be read: the folder is left alone then */
export async function readPullState(folder: string): Promise<PullState | null> {
  const path = statePath(folder);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return null;
    throw error;
  }
  try {
    return z.parse(pullState, JSON.parse(text));
  } catch (cause) {
    throw new SedimentError("invalid_config", `${path} can't be read`, {
      field: "out",
      expected: "the state that a pull of this version has left; another folder will do",
      cause,
    });
  }
}

/** Writes it down, durably. */
export async function writePullState(
  folder: string,
  state: Omit<PullState, "v">,
): Promise<void> {
  const path = statePath(folder);
  const part = `${path}.${process.pid}.part`;
  const file = await open(part, "w");
  try {
    await file.writeFile(`${JSON.stringify({ v: stateVersion, ...state })}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
}
