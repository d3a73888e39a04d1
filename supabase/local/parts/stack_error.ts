import { type ErrorCode, SedimentError } from "../../../shared/errors.ts";

/**
 * An error of the embedded stack that a person can act on.
 *
 * @param code port_taken | state_in_use | state_outdated | part_missing | part_failed
 * @param detail what is wrong, in one sentence
 * @param remedy the line to run, or what to do
 */
export function stackError(
  code: Extract<
    ErrorCode,
    "port_taken" | "state_in_use" | "state_outdated" | "part_missing" | "part_failed"
  >,
  detail: string,
  remedy: string,
  cause?: unknown,
): SedimentError {
  return new SedimentError(code, `${detail}\n  ${remedy}`, { expected: remedy, cause });
}
