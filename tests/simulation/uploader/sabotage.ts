/**
 * Guards taken out, one at a time: a simulation that doesn't notice has a hole. Tests and
 * `--break NAME` use them.
 */
import type { PendingMedium } from "../../../shared/uploader/pending/pending_medium.ts";

/** What can be taken out. */
export const sabotages = {
  "no-sync": "writes are not synced before they are acknowledged",
  "no-lock": "the store's lock is always given",
  "no-claim-write": "a claim and its spent attempt are not written down",
  "bytes-first": "a removal takes the bytes before the record",
  "no-auth-backoff": "refusals in a row don't wait",
  "no-owner": "items don't know whose they are",
  "no-account": "a push that was ended says nothing of what it had not begun",
} as const;

/** See {@link sabotages}. */
export type Sabotage = keyof typeof sabotages;

/** A medium with a guard taken out. */
export function sabotageMedium(
  medium: PendingMedium,
  sabotage: Sabotage | null,
): PendingMedium {
  switch (sabotage) {
    case "no-lock":
      return { ...medium, lock: () => Promise.resolve({ release: () => Promise.resolve() }) };
    case "no-claim-write":
      return {
        ...medium,
        write: (id, text) =>
          JSON.parse(text).state === "sending" ? Promise.resolve() : medium.write(id, text),
      };
    case "bytes-first":
      return {
        ...medium,
        async remove(id) {
          await medium.removeBytes([id]);
          await medium.remove(id);
        },
      };
    default:
      return medium;
  }
}
