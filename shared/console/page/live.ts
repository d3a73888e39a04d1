/** Answers that are kept up to date: asked for again and again while somebody looks. */
import { useEffect, useRef, useState } from "preact/hooks";
import { call, Refusal } from "./session.ts";

/** What is known of a route's answer. */
export interface Live<T> {
  /** The last answer; undefined before the first. */
  value: T | undefined;
  /** Why the last try failed; an older value may be there. */
  failure: Refusal | undefined;
  /** When the last answer came. */
  at: number | undefined;
  /** Asks now. */
  again: () => void;
}

/** Whatever was changed: lists that are shown ask at once. */
const changed = new EventTarget();

/** Tells the lists that something was changed by hand. */
export const tellChange = (): boolean => changed.dispatchEvent(new Event("change"));

/**
 * The answer of a GET, asked for every `seconds` while the page is visible; after failures more rarely, up to a minute.
 *
 * @param path null: not yet
 */
// deno-lint-ignore no-explicit-any -- the answers' types are the service's
export function useLive<T = any>(path: string | null, seconds = 5): Live<T> {
  const [state, setState] = useState<Omit<Live<T>, "again"> & { path: string | null }>(
    nothing(path),
  );
  const ask = useRef(() => {});
  useEffect(() => {
    setState((old) => old.path === path ? old : nothing(path));
    if (path === null) return;
    let ended = false, failures = 0, etag: string | null = null, asking = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const wait = () => {
      clearTimeout(timer);
      if (!ended && !document.hidden) {
        timer = setTimeout(run, Math.min(seconds * 2 ** failures, 60) * 1000);
      }
    };
    const run = async () => {
      if (asking) return;
      asking = true;
      clearTimeout(timer);
      try {
        const answer = await call("GET", path);
        if (ended) return;
        failures = 0;
        // what has not changed is not drawn again
        if (answer.etag === null || answer.etag !== etag) {
          etag = answer.etag;
          setState({ path, value: answer.body, failure: undefined, at: Date.now() });
        } else setState((old) => ({ ...old, failure: undefined, at: Date.now() }));
      } catch (thrown) {
        if (ended) return;
        failures++;
        const failure = thrown instanceof Refusal
          ? thrown
          : new Refusal(0, "internal", String((thrown as Error).message));
        setState((old) => ({ ...old, failure }));
      } finally {
        asking = false;
        wait();
      }
    };
    ask.current = () => void run();
    const seen = () => document.hidden ? clearTimeout(timer) : void run();
    document.addEventListener("visibilitychange", seen);
    changed.addEventListener("change", ask.current);
    const told = ask.current;
    void run();
    return () => {
      ended = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
      changed.removeEventListener("change", told);
    };
  }, [path, seconds]);
  const { path: _, ...known } = state.path === path ? state : nothing<T>(path);
  return { ...known, again: () => ask.current() };
}

function nothing<T>(path: string | null): Omit<Live<T>, "again"> & { path: string | null } {
  return { path, value: undefined, failure: undefined, at: undefined };
}
