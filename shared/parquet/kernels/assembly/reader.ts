/** The exports of the kernels that only read: what a client carries, two thirds of the bytes. */
export { alloc, free, memoryTaken, setMemoryLimit } from "./memory";
export { getErrorA, getErrorB, getErrorCode } from "./errors";
export {
  checkpoint,
  freeColumn,
  newColumn,
  releasePending,
  requireText,
  startGroup,
} from "./column";
export { seedHash } from "./intern";
export { appendPages, closeChunk, openChunk } from "./chunk";
export { freeChunk, getPagesRead, newChunk, useChunk } from "./open_chunk";
export { setPageLimits } from "./page_limits";
export { rollback } from "./column_mode";
export { appendFromSibling, appendNulls } from "./missing_leaf";
export { columnCount, columnRows, columnValueBytes, levelsBeforeRows, rowsWithin } from "./pending";
export { appendGroup, getFailedColumn } from "./append_group";
export { reserveTable } from "./footer_scan";
export { levelsAgree } from "./siblings";
export {
  arrowBitmap,
  arrowDefs,
  arrowLevels,
  arrowNulls,
  arrowOffsets,
  arrowReps,
  arrowSlots,
  arrowValueBytes,
  arrowValues,
  dropTaken,
  settle,
  takeRows,
} from "./arrow";
