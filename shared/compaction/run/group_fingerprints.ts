/** How the next plan of a partition groups schemas, as far as this one can tell. */
import type { SchemaJson } from "../../parquet/format/schema_json.ts";
import { groupsOfSchemas, type Plan } from "../plan/plan.ts";
import { uniteSchemas } from "../plan/unite_schemas.ts";
import type { GroupFingerprints } from "../plan/waiting_groups.ts";
import type { Claim, CompactionPorts, InputFile } from "./ports.ts";

/**
 * Groups fingerprints as the next plan does. Which files that one leaves out, and the schemas with them, is not known where
 * this one has met bad ones, or left some alone for what they cost in a group.
 *
 * @param schemas by fingerprint: those of the files and of what was made of them
 */
export function groupFingerprints(
  { leftAlone }: Plan<InputFile>,
  { unite = uniteSchemas }: CompactionPorts,
  settings: Claim["settings"],
  schemas: Readonly<Record<string, SchemaJson>>,
  metBadInputs: boolean,
): GroupFingerprints {
  return (fingerprints) => {
    if (metBadInputs || leftAlone > 0) return undefined;
    if (fingerprints.some((fingerprint) => !Object.hasOwn(schemas, fingerprint))) return undefined;
    return groupsOfSchemas(fingerprints, settings, schemas, unite)
      .map((group) => group.fingerprints);
  };
}
