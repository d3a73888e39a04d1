/** The kernels' exports. */
export { alloc, free, memoryTaken, setMemoryLimit } from "./memory";
export { getErrorA, getErrorB, getErrorCode } from "./errors";
export { snappyBound, snappyDecode, snappyEncode } from "./snappy";
export { lz4Decode } from "./lz4";
export { checkpoint, freeColumn, newColumn, requireText, startGroup } from "./column";
export { seedHash } from "./intern";
export { appendPages, closeChunk, nextPageBytes, openChunk } from "./chunk";
export { forgetMapping, freeChunk, getPagesRead, newChunk, useChunk } from "./open_chunk";
export { setPageLimits } from "./page_limits";
export { statsPtr } from "./order";
export {
  appendFromSibling,
  appendNulls,
  chooseDictionary,
  choosePlain,
  columnCount,
  columnEntryBytes,
  columnEntryCount,
  columnMode,
  columnPresent,
  columnRows,
  columnValueBytes,
  dropPage,
  getPackedPtr,
  getPageLevels,
  getPagePresent,
  getPageRows,
  getRawLength,
  getRawPtr,
  levelsBeforeRows,
  makeDictionaryPage,
  makePage,
  packSnappy,
  plainBytesOf,
  rollback,
  rowsWithin,
} from "./page";
export { appendGroup, commitColumns, getFailedColumn, pendingBytes } from "./append_group";
export {
  reserveTable,
  scanCodecs,
  scanFooter,
  scanGroups,
  scanKeyValuesAt,
  scanKeyValuesLength,
  scanLargestGroup,
  scanRows,
  scanSchemaAt,
  scanSchemaLength,
  scanTable,
  scanUncompressed,
  scanValues,
} from "./footer_scan";
export { endGather, gatherRows, startGather } from "./gather";
export { addKey, clearKeys } from "./sort_keys";
export { permutationLength, sortRows } from "./sort";
