import { BAD_LEVELS, fail } from "./errors";

/** Bytes of the stream that {@link levelStart} found. */
export let levelBytes: usize = 0;

/** A V1 level stream's start behind its length; 0 when it runs past the page. */
export function levelStart(p: usize, end: usize): usize {
  if (<u32> (end - p) < 4) return fail(BAD_LEVELS, end - p);
  const length = load<u32>(p);
  if (length > <u32> (end - p - 4)) return fail(BAD_LEVELS, length, end - p - 4);
  levelBytes = length;
  return p + 4;
}
