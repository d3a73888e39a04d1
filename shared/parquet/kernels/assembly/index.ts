/** The kernels' exports. */
export { alloc, free, memoryTaken, setMemoryLimit } from "./memory";
export { getErrorA, getErrorB, getErrorCode } from "./errors";
export { snappyBound, snappyDecode, snappyEncode } from "./snappy";
export {
  checkpoint,
  dropTable,
  freeColumn,
  newColumn,
  releasePending,
  requireText,
  startGroup,
  watchBounds,
} from "./column";
export { filterHolds, watchFilter, xxHash64 } from "./bloom_filter";
export { seedHash } from "./intern";
export {
  appendPages,
  chunkIsRead,
  closeChunk,
  countPage,
  openChunk,
  pageStartsRow,
  startsWithCrc,
} from "./chunk";
export {
  getPageCrc,
  getPageEncoding,
  getPageGrowth,
  getPageSize,
  getPageType,
  parseAnyHeader,
} from "./page_header";
export { forgetMapping, freeChunk, getPagesRead, newChunk, useChunk } from "./open_chunk";
export { setPageLimits } from "./page_limits";
export { dropEntries, packRows, reserveRows, unpackRows } from "./pack_rows";
export { statsPtr } from "./value_bounds";
export { chooseDictionary, choosePlain, plainBytesOf, restartGroup, rollback } from "./column_mode";
export { appendFromSibling, appendNulls } from "./missing_leaf";
export {
  dropPage,
  getPackedPtr,
  getPageLevels,
  getPagePresent,
  getPageRows,
  getRawLength,
  getRawPtr,
  makeDictionaryPage,
  makePage,
  packSnappy,
} from "./page";
export {
  columnCount,
  columnEntryBytes,
  columnEntryCount,
  columnMode,
  columnPresent,
  columnRows,
  columnValueBytes,
  levelsBeforeRows,
  rowsWithin,
} from "./pending";
export { appendGroup, commitColumns, getFailedColumn, pendingBytes } from "./append_group";
export {
  reserveTable,
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
export { mayBeCopied, otherLevels } from "./rare_pages";
export { unpackV2 } from "./page_body";
export { zstdDecode } from "./zstd";
export { readOtherValues } from "./page_values";
export { passPacked } from "./packed_values";
export { levelsAgree } from "./siblings";
export { moveIndexes } from "./move_indexes";
export { endGather, gatherRows, startGather } from "./gather";
export { addKey, clearKeys } from "./sort_keys";
export { keepRows, keyChange, permutationLength, permutationPtr, setPermutationLength, sortRows } from "./sort";
export { lendEntries, lendUsedEntries } from "./lend_entries";
