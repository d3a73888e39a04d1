import { SedimentError } from "../../errors.ts";

/** A time limit that begins anew whenever something has arrived. */
export interface Deadline {
  /** Fires when nothing came for too long, or when the caller's signal does. */
  signal: AbortSignal;
  /** Says that something has arrived. */
  extend(): void;
  /** Ends it. */
  clear(): void;
}

/** Starts a deadline; its reason is `answer_timeout`. @param outer the caller's own signal */
export function startDeadline(
  milliseconds: number,
  what: string,
  outer: AbortSignal | undefined,
): Deadline {
  const controller = new AbortController();
  const end = () =>
    controller.abort(
      new SedimentError("answer_timeout", `${what}: nothing came for ${milliseconds} ms`),
    );
  let timer = setTimeout(end, milliseconds);
  const pass = () => controller.abort(outer!.reason);
  if (outer?.aborted) pass();
  else outer?.addEventListener("abort", pass, { once: true });
  return {
    signal: controller.signal,
    extend() {
      clearTimeout(timer);
      timer = setTimeout(end, milliseconds);
    },
    clear() {
      clearTimeout(timer);
      outer?.removeEventListener("abort", pass);
    },
  };
}
