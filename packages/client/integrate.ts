/** `sediment-client/integrate`: a scheduled job that runs one at a time among all processes. */
export {
  integrate,
  type IntegrateOptions,
  type Integration,
  type Job,
  type JobOutcome,
} from "../../shared/uploader/integrate.ts";
