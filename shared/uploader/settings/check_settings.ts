/** Settings given in code, checked. Apart from load_settings.ts, so that browsers need no TOML parser. */
import * as z from "zod/mini";
import { SedimentError } from "../../errors.ts";
import { valueAt } from "../../protocol/validate.ts";
import { sections, type UploaderSettings, uploaderSettings } from "./settings.ts";

/**
 * Settings checked, with their defaults.
 *
 * @param nameOf what a `section.key` is called where it was set
 * @throws `invalid_config`
 */
export function checkSettings(
  input: unknown,
  nameOf: (path: string) => string = (path) => path,
): UploaderSettings {
  const parsed = z.safeParse(uploaderSettings, input);
  if (parsed.success) return parsed.data;
  throw invalid(parsed.error.issues[0], input, nameOf);
}

function invalid(
  issue: z.core.$ZodIssue,
  input: unknown,
  nameOf: (path: string) => string,
): SedimentError {
  if (issue.code === "unrecognized_keys") {
    const section = issue.path.join(".");
    const key = [section, issue.keys[0]].filter(Boolean).join(".");
    const known = Object.keys(
      section === "" ? sections : sections[section as keyof typeof sections],
    ).join(", ");
    const value = JSON.stringify(valueAt(input, [...issue.path, issue.keys[0]]));
    return new SedimentError("invalid_config", `${nameOf(key)} (= ${value}) is not a setting`, {
      field: key,
      expected: `one of ${known}`,
    });
  }
  const path = issue.path.join(".");
  const value = JSON.stringify(valueAt(input, issue.path)) ?? "missing";
  const expected = issue.message;
  return new SedimentError("invalid_config", `${nameOf(path)} is ${value}; expected ${expected}`, {
    field: path,
    expected,
  });
}
