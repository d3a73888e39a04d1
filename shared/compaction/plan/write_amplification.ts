/** What is worth writing of a choice that had to be cut. */
import { dedupes, type PlanFile, type PlanSettings } from "./data_file.ts";
import { tierOf, tierRatio } from "./tiers.ts";

/** What is written grows by this factor at least, so that no byte is written more than O(log n) times. */
const growth = 1.5;

/**
 * The parts of a cut choice in which files grow enough. Files are chosen to rise together; where a limit, the budget or
 * a file between them cuts the choice, the largest may be left with a few small ones. It would then be written anew each
 * time a few more come, so it stays as it is. In a table that dedupes those at its sides can't meet.
 *
 * @param files in output order
 */
export function worthwhileParts<F extends PlanFile>(files: F[], settings: PlanSettings): F[][] {
  if (files.length < 2) return [];
  const tier = (bytes: number) =>
    tierOf(bytes, settings.target_file_bytes, tierRatio(settings.min_inputs));
  const largest = files.reduce((one, other) => other.byte_length > one.byte_length ? other : one);
  const bytes = files.reduce((sum, file) => sum + file.byte_length, 0);
  const rises = tier(largest.byte_length) === 0 || tier(bytes) === null ||
    bytes >= growth * largest.byte_length;
  if (rises) return [files];
  const at = files.indexOf(largest);
  const [before, behind] = [files.slice(0, at), files.slice(at + 1)];
  const parts = dedupes(settings) ? [before, behind] : [[...before, ...behind]];
  return parts.flatMap((part) => worthwhileParts(part, settings));
}
