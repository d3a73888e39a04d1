/** What doctor says of one thing that a deployment needs. */
export interface Item {
  /** What was looked at, such as `vault`. */
  name: string;
  /** `unknown` is what could not be seen; it never counts as well. */
  state: "ok" | "wrong" | "unknown";
  /** What was found, in a sentence. */
  found: string;
  /** The line that mends it; of an unknown one, what would let it be seen. */
  mend?: string;
}

/** It is as it should be. */
export const ok = (name: string, found: string): Item => ({ name, state: "ok", found });

/** It is not; `mend` is what to run or to set. */
export const wrong = (name: string, found: string, mend: string): Item => ({
  ...{ name, state: "wrong", found, mend },
});

/** It could not be seen. */
export const unknown = (name: string, found: string, mend?: string): Item => ({
  ...{ name, state: "unknown", found },
  ...(mend === undefined ? {} : { mend }),
});
