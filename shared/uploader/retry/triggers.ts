/** What wakes the retry service by itself: start-up, the session, time, and the network's return. */
import type { BatchReport, Trigger } from "./batch_report.ts";
import type { Clock } from "../../clock.ts";
import type { Session } from "../session/session.ts";

/** The parts of {@link startTriggers}. */
export interface TriggerParts {
  trigger(trigger: Trigger): Promise<BatchReport>;
  signedOut(): void;
  session: Session;
  clock: Clock;
  intervalSeconds: number;
  /** Where `online` events come from. @default globalThis, where it has them */
  network?: Pick<EventTarget, "addEventListener" | "removeEventListener">;
}

/** Starts the triggers; the returned function ends them. */
export function startTriggers(parts: TriggerParts): () => void {
  const { trigger, session, clock } = parts;
  const ended = new AbortController();
  // trigger() never throws; its failures are in its report and in the log.
  void trigger("startup");
  void (async () => {
    while (!ended.signal.aborted) {
      await clock.sleep(parts.intervalSeconds * 1000, ended.signal);
      if (!ended.signal.aborted) await trigger("interval");
    }
  })();
  const forget = session.onChange?.((event) => {
    if (event === "SIGNED_OUT") parts.signedOut();
    else void trigger("session");
  });
  const network = parts.network ??
    (typeof globalThis.addEventListener === "function" ? globalThis : undefined);
  const onOnline = () => void trigger("online");
  network?.addEventListener("online", onOnline);
  return () => {
    ended.abort();
    forget?.();
    network?.removeEventListener("online", onOnline);
  };
}
