/** The first step of a run. */
import { SedimentError } from "../../errors.ts";
import type { Claim } from "./ports.ts";

/**
 * Whether a claim can be worked on; what it says comes from settings that people write.
 *
 * @throws SedimentError `invalid_config`
 */
export function checkClaim(claim: Claim): void {
  const { settings } = claim;
  for (const name of ["target_file_bytes", "target_row_group_bytes", "min_inputs"] as const) {
    if (!(settings[name] > 0)) {
      throw new SedimentError("invalid_config", `The table's ${name} is ${settings[name]}`, {
        field: name,
        expected: "a number above zero",
      });
    }
  }
}
