/**
 * PostgreSQL refuses to run as root. As root its programs run as the user nobody; when a folder on their path
 * is closed to that user (a checkout or state folder under /root), they get the one capability that reads
 * through it (setpriv, util-linux) rather than a changed mode on somebody's folder.
 */
import { dirname } from "node:path";
import { stackError } from "../parts/stack_error.ts";

/** uid and gid of `nobody` on Linux. */
const nobody = 65534;

export interface RunAs {
  /** Owner of what PostgreSQL writes; undefined: this process's own user. */
  uid?: number;
  command(program: string, args: string[], options?: Deno.CommandOptions): Deno.Command;
  /** Gives a path to that user. */
  own(path: string): Promise<void>;
}

/**
 * How to run PostgreSQL's programs.
 *
 * @param dataFolder where its data is; as root it may be closed to others
 * @param programFolder where the programs are; PostgreSQL asks access(2) about them, which knows no capabilities
 * @throws part_failed when nobody can't get there
 */
export async function runAs(dataFolder: string, programFolder: string): Promise<RunAs> {
  if (Deno.build.os === "windows" || Deno.uid() !== 0) {
    return {
      command: (program, args, options) => new Deno.Command(program, { ...options, args }),
      own: () => Promise.resolve(),
    };
  }
  const own = (path: string) => Deno.chown(path, nobody, nobody);
  const closedProgram = await closedParent(programFolder);
  if (closedProgram) {
    throw stackError(
      "part_failed",
      `As root, PostgreSQL runs as nobody (uid ${nobody}), who can't enter ${closedProgram}.`,
      "Set SEDIMENT_CACHE_DIR to a folder that anyone may enter, such as /var/tmp/sediment-cache",
    );
  }
  const closed = await closedParent(dataFolder);
  if (closed === undefined) {
    return {
      uid: nobody,
      own,
      command: (program, args, options) =>
        new Deno.Command(program, { ...options, args, uid: nobody, gid: nobody }),
    };
  }
  const setpriv = await new Deno.Command("sh", { args: ["-c", "command -v setpriv"] }).output();
  const path = new TextDecoder().decode(setpriv.stdout).trim();
  if (!path) {
    throw stackError(
      "part_failed",
      `As root, PostgreSQL runs as nobody (uid ${nobody}), who can't enter ${closed}.`,
      "Start with a folder that anyone may enter: deno task start --state /var/tmp/sediment",
    );
  }
  const drop = [`--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups"];
  const reach = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
  return {
    uid: nobody,
    own,
    command: (program, args, options) =>
      new Deno.Command(path, { ...options, args: [...drop, ...reach, program, ...args] }),
  };
}

/** The nearest folder on the way to a path that others may not enter, if there is one. */
async function closedParent(path: string): Promise<string | undefined> {
  for (let folder = path;; folder = dirname(folder)) {
    const info = await Deno.stat(folder).catch(() => undefined);
    if (info && info.isDirectory && ((info.mode ?? 0) & 0o001) === 0) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}
