/** Each SQL function's answer, by the method that calls it. This table is the list of the catalog's methods. */
import * as reads from "./read_results.ts";
import * as runs from "./run_results.ts";
import * as upkeep from "./upkeep_results.ts";
import * as uploads from "./upload_results.ts";

export const results = {
  stageUpload: uploads.stagedUpload,
  commitUpload: uploads.uploadAnswer,
  abandonUpload: uploads.abandoned,

  requestCompaction: runs.requested,
  claimCompaction: runs.claimed,
  listFragments: runs.fragments,
  stageOutput: runs.stagedOutput,
  commitCompaction: runs.committed,
  renewLease: runs.lease,
  recordStep: runs.recordedStep,
  quarantineFile: runs.quarantined,
  failCompaction: runs.failed,
  runStatus: runs.runStatus,

  listFiles: reads.fileList,
  versionAt: reads.versionAt,
  getFile: reads.oneFile,

  catalogHealth: upkeep.health,
  tick: upkeep.ticked,
  sweep: upkeep.swept,
  expireLeases: upkeep.expiredLeases,
  triggerScheduled: upkeep.scheduled,
};
