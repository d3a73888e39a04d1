/**
 * Made by `deno task bench merge --fit` on 2026-11-22: 2 × AMD EPYC, Deno 2.9.6,
 * 31 merges. CPU is off by 11 % in the median and 35 % at most, peak memory by 3 % in the median and 14 % at most. Do not edit.
 */
export const costCoefficients = {
  fixedMs: 24.66,
  columnMs: 0.9799,
  fileMs: 0.03623,
  chunkMs: 0.000,
  valueMs: 0.000001253,
  byteMs: 5.721e-8,
  plainByteMs: 0.000004459,
  sortValueMs: 0.00005943,
  zstdMs: 122.3,
  zstdPlainByteMs: 0.000003349,
  copyChunkMs: 0.1054,
  copyByteMs: 1.181e-7,
  fixedMb: 64.36,
  columnMb: 0.2994,
  fileMb: 0.001007,
  groupByteMb: 7.627e-7,
  sortByteMb: 7.814e-7,
  zstdMb: 9.608,
};
