import { join } from "node:path";
import { stackError } from "../parts/stack_error.ts";

/** An exclusive hold on a state folder; the kernel drops it when the process dies, however it dies. */
export interface StateLock {
  /** Writes who holds the folder into the lock file, for the error of the next one. */
  describe(text: string): Promise<void>;
  release(): void;
}

/**
 * Takes the state folder for this process.
 *
 * @throws state_in_use when another process holds it, naming that one
 */
export async function lockState(stateDir: string): Promise<StateLock> {
  const path = join(stateDir, "stack.lock");
  const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
  if (!await file.tryLock(true)) {
    file.close();
    const holder = (await Deno.readTextFile(path).catch(() => "")).trim() || "another process";
    throw stackError(
      "state_in_use",
      `The state folder ${stateDir} is in use by ${holder}.`,
      "Stop that one, or start with another folder: deno task start --state OTHER_DIR",
    );
  }
  const describe = async (text: string) => {
    await file.truncate(0);
    await file.seek(0, Deno.SeekMode.Start);
    await file.write(new TextEncoder().encode(text));
  };
  await describe(`process ${Deno.pid}`);
  const release = () => {
    // A child that is being forked holds copies of our descriptors until its exec: closing ours alone would keep the lock.
    file.unlockSync();
    file.close();
  };
  return { describe, release };
}
