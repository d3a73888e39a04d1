/** Files that a merge has set apart: they are sound, and what they can't be merged with is remembered in the catalog. */
import type { ApartMark, PlanFile } from "./data_file.ts";
import { cutText, filesText } from "./decision_text.ts";
import { plannerVersion } from "./planner_version.ts";

/** The mark of a file, where this planner goes by it. */
export function apartMarkOf(file: Pick<PlanFile, "apart">): ApartMark | undefined {
  const mark = file.apart ?? undefined;
  return mark?.planner === plannerVersion ? mark : undefined;
}

/**
 * With which files one that was set apart is merged still; undefined for all others. Files whose values don't fit a wider
 * type fit the one that they have, all of them; files whose schema is not what the catalog has of it meet those of which
 * a merge said the same.
 */
export function apartGroupOf(
  file: Pick<PlanFile, "apart" | "schema_fingerprint">,
): string | undefined {
  const mark = apartMarkOf(file);
  if (mark === undefined || mark.kind === "memory") return undefined;
  const like = mark.kind === "schema" ? mark.reason : "";
  return JSON.stringify([mark.kind, file.schema_fingerprint, like]);
}

/** Why files of one group are left alone, as a note of the decision. */
export function apartText(files: readonly PlanFile[]): string {
  const [{ id, apart }] = files;
  return `${filesText(files.length)} set apart (file ${id}: ${cutText(apart!.reason, 200)})`;
}
