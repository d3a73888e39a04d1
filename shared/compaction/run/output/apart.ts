/** What to merge in place of inputs that turned out not to belong together. */
import type { MergeResult } from "../../../parquet/merge/merge_plan.ts";
import type { InputFile } from "../ports.ts";

/**
 * The inputs that another try is to merge, fewer than `inputs`; undefined where the result stands. It stands when inputs
 * met in it; where the last writer of a key wins only neighbours may meet, so the longest stretch of them is taken. What
 * was set apart is planned again once something was merged.
 */
export function othersToMerge(
  inputs: readonly InputFile[],
  { merged, rejected }: Pick<MergeResult, "merged" | "rejected">,
  adjacent: boolean,
): InputFile[] | undefined {
  const apart = new Set(
    // what there is no memory for alone is not tried again
    rejected.filter((one) => one.apart && one.apart !== "memory").map(({ id }) => id),
  );
  if (apart.size === 0) return undefined;
  const together = inputs.filter(({ id }) => merged.includes(String(id)));
  const others = inputs.filter(({ id }) => apart.has(String(id)));
  if (!adjacent) {
    const worthIt = together.length < 2 && others.length > 1 && others.length < inputs.length;
    return worthIt ? others : undefined;
  }
  const kindOf = ({ id }: InputFile) => apart.has(String(id)) ? "apart" : "merged";
  let longest: InputFile[] = [], stretch: InputFile[] = [];
  for (const input of inputs) {
    stretch = stretch.length > 0 && kindOf(stretch[0]) === kindOf(input)
      ? [...stretch, input]
      : [input];
    if (stretch.length > longest.length) longest = stretch;
  }
  if (longest.length < 2 || longest.length === inputs.length) return undefined;
  return longest.length === together.length && longest[0] === together[0] ? undefined : longest;
}

/**
 * What to merge in place of inputs that are too much for memory together: the first half of several, which are neighbours
 * still, else all but the heaviest, for which there is no company then.
 */
export function fewerToMerge<F extends InputFile>(
  inputs: readonly F[],
): { inputs: F[]; apart?: F } {
  if (inputs.length > 2) return { inputs: inputs.slice(0, Math.ceil(inputs.length / 2)) };
  const [heaviest] = inputs.toSorted((a, b) => b.uncompressed_bytes - a.uncompressed_bytes);
  return { inputs: inputs.filter((input) => input !== heaviest), apart: heaviest };
}
