/** Each SQL function's answer, by the method that calls it. This table is the list of the catalog's methods. */
import * as assets from "./asset_results.ts";
import * as console from "./console_results.ts";
import * as deadLetters from "./dead_letter_results.ts";
import * as deletions from "./deletion_results.ts";
import * as keys from "./key_results.ts";
import * as lake from "./lake_results.ts";
import * as members from "./member_results.ts";
import * as metrics from "./metric_results.ts";
import * as reads from "./read_results.ts";
import * as runs from "./run_results.ts";
import * as upkeep from "./upkeep_results.ts";
import * as uploads from "./upload_results.ts";

export const results = {
  stageUpload: uploads.stagedUpload,
  commitUpload: uploads.uploadAnswer,
  getUpload: uploads.upload,
  abandonUpload: uploads.abandoned,
  groupUploadCalls: uploads.settledCalls,

  stageAsset: assets.stagedAsset,
  getAssetUpload: assets.assetUpload,
  commitAsset: assets.committedAsset,
  listAssets: assets.assetList,
  getAsset: assets.asset,

  requestCompaction: runs.requested,
  requestRewrite: runs.rewrite,
  listRewrites: runs.rewrites,
  claimCompaction: runs.claimed,
  listFragments: runs.fragments,
  stageOutput: runs.stagedOutput,
  commitCompaction: runs.committed,
  renewLease: runs.lease,
  recordStep: runs.recordedStep,
  quarantineFile: runs.quarantined,
  setApart: runs.setApart,
  failCompaction: runs.failed,
  finishProbe: runs.probed,
  passControl: runs.passedControl,
  runStatus: runs.runStatus,

  listFiles: reads.fileList,
  listTables: reads.tableList,
  versionAt: reads.versionAt,
  getFile: reads.oneFile,

  drainDeadLetters: deadLetters.drained,
  raiseTestAlert: deadLetters.raisedAlert,
  claimAlerts: deadLetters.claimedAlerts,
  finishAlert: deadLetters.finishedAlert,
  redriveDeadLetters: deadLetters.redriven,
  dropDeadLetters: deadLetters.dropped,
  listDeadLetters: deadLetters.deadLetters,
  retryQuarantined: deadLetters.retried,

  deleteData: deletions.deletionReceipt,
  deleteUpload: deletions.deletionReceipt,
  deleteUser: deletions.deletionReceipt,
  deletionStatus: deletions.deletionReceipt,
  inviteMember: members.invitation,
  acceptInvitation: members.acceptedInvitation,
  listMembers: members.memberList,
  removeMember: members.removedMember,
  renameTable: members.renamedTable,
  revokeInvitation: members.revokedInvitation,

  stageKey: keys.stagedKey,
  commitKey: keys.datasetKey,
  listKeys: keys.keyList,
  revokeKey: keys.revokedKey,
  openKey: keys.openedKey,
  claimEndedKeys: keys.claimedKeys,
  finishEndedKey: keys.finishedKey,

  endAged: deletions.ended,
  advanceDeletions: deletions.advancedDeletion,
  stageSplits: deletions.stagedSplits,
  commitSplit: deletions.committedSplit,

  approveLakeTable: lake.lakeTable,
  withdrawLakeTable: lake.lakeTable,
  listLake: lake.lakeNames,
  loadLakeTable: lake.loadedLakeTable,
  commitLakeMetadata: lake.committedLakeMetadata,
  signLakeObject: lake.signedLakeObject,

  schemaVersion: upkeep.schemaVersion,
  countProblems: metrics.countedProblems,
  readMetrics: metrics.metrics,
  readOverview: console.overview,
  listDatasets: console.datasetList,
  listPartitions: console.partitionList,
  listRuns: console.runList,
  runTimeline: runs.runStatus.extend(console.runTimelineParts.shape),
  listQuarantined: console.quarantinedList,
  readSettings: console.settings,
  changeSettings: console.changedSettings,
  catalogHealth: upkeep.health,
  watchHealth: upkeep.watchedHealth,
  pingDeployment: upkeep.pingId,
  deploymentFindings: upkeep.deploymentFindings,
  objectLimit: upkeep.objectLimit,
  tick: upkeep.ticked,
  sweep: upkeep.swept,
  expireLeases: upkeep.expiredLeases,
  pruneHistory: upkeep.pruned,
  triggerScheduled: upkeep.scheduled,
  planVacuum: upkeep.vacuumPlan,
  commitVacuum: upkeep.vacuumed,
  wakeVacuum: upkeep.vacuumWoken,
  listObjects: upkeep.objectList,
  findObjects: upkeep.knownObjects,
  beginStoreCheck: upkeep.storeSlice,
  compareObjects: upkeep.comparedObjects,
  commitStoreCheck: upkeep.checkedStore,
  markForRewrite: upkeep.markedFiles,
  listUnsettledOutputs: upkeep.unsettledOutputs,
  settleOutputs: upkeep.settledOutputs,
};
