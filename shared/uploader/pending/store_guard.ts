/** Turns what a medium throws into errors of the pending store. */
import { asSedimentError, SedimentError } from "../../errors.ts";
import { systemCode } from "./media/file_system.ts";
import type { Say } from "../log.ts";
import type { PendingMedium } from "./pending_medium.ts";

/** Whether an error says that the disk, or the browser's quota, is full. */
export function isFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(systemCode(error)) ||
    (error as { name?: string } | null)?.name === "QuotaExceededError";
}

/** Runs an action of the store. @throws `pending_full`, `pending_unusable`, and what is a SedimentError */
export async function guarded<T>(
  action: () => Promise<T>,
  medium: PendingMedium,
  say: Say,
): Promise<T> {
  try {
    return await action();
  } catch (thrown) {
    const detail = `${medium.name}: ${asSedimentError(thrown).message}`;
    const code = isFull(thrown) ? "pending_full" : "pending_unusable";
    const error = thrown instanceof SedimentError
      ? thrown
      : new SedimentError(code, detail, { cause: thrown });
    if (error.code === "pending_full") say("full", { message: error.message });
    throw error;
  }
}

/** Runs an action under the store's lock. */
export async function locked<T>(medium: PendingMedium, action: () => Promise<T>): Promise<T> {
  const lock = await medium.lock("store");
  if (!lock) throw new SedimentError("pending_unusable", "the store's lock was not given");
  try {
    return await action();
  } finally {
    await lock.release();
  }
}
