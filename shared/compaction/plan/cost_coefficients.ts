/**
 * Made by `deno task bench merge --fit` on 2026-11-22: 2 × AMD EPYC, Deno 2.9.6,
 * 69 merges at a load of 11. CPU is predicted -1 % off in the median, from -35 % to 25 %.
 * Peak memory is predicted 9 % off in the median, from 0 % to 22 %. Do not edit.
 * Of 2026-11-30, at a load of 20, by `--fit --points`: lateColumnMs (1,200 to 4,000 columns, 4 and 16 files of 50 rows), and of
 * memory what is of late columns and values, of sorted rows, and of what the host unpacks. Predicted and measured then, in MB:
 * 1,200 columns 112 of 108 and 155 of 141; 2,000 133 of 128 and 206 of 184; 4,000 188 of 187 and 328 of 325; 9,000 in two
 * files 265 of 240; 200,000, 350,000 and 500,000 rows of 25 columns sorted 127 of 127, 162 of 160 and 192 of 184; 200,000
 * rows in gzip and brotli 126 of 116 and 120.
 * Of 2026-12-01, at a load of 5: zstd that is read has no start any more (zstdMs, zstdMb). Predicted and measured: 250 files in
 * zstd 193 of 150 ms and 115 of 96 MB, 60 files 82 of 79 and 90 of 85; the other points were 33 % below in the median, too.
 */
export const costCoefficients = {
  fixedMs: 27.15,
  columnMs: 0.8153,
  lateColumnMs: 0.1100,
  fileMs: 0.000,
  earlyFileMs: 0.1144,
  chunkMs: 0.000,
  valueMs: 7.105e-7,
  byteMs: 0.000005384,
  plainByteMs: 0.000,
  pageByteMs: 0.000002343,
  copyChunkMs: 0.000,
  copyByteMs: 5.614e-7,
  checkByteMs: 9.211e-7,
  sortValueMs: 0.00003294,
  zstdMs: 107.9,
  zstdByteMs: 0.000002079,
  zstdWrittenByteMs: 0.000002652,
  gzipByteMs: 0.000006754,
  ownGzipByteMs: 0.00001207,
  brotliByteMs: 0.00001095,
  decodeMs: 257.4,
  decodeChunkMs: 0.9215,
  decodeByteMs: 0.00002528,
  fixedMb: 71.58,
  columnMb: 0.07077,
  lateColumnMb: 0.01400,
  lateValueMb: 0.00004700,
  fileMb: 0.000,
  aheadByteMb: 9.083e-8,
  waitingValueMb: 2.263e-7,
  waitingByteMb: 0.000002415,
  unpackedByteMb: 4.000e-7,
  openByteMb: 0.000001220,
  checkedPageByteMb: 0.000001221,
  pageByteMb: 0.000001667,
  pagesByteMb: 0.000001285,
  copyMb: 1.983,
  copyChunkMb: 0.02836,
  sortByteMb: 4.000e-7,
  lateSortByteMb: 0.000001200,
  zstdMb: 6.026,
  decodeMb: 68.30,
  decodeFileByteMb: 0.000,
  decodeChunkByteMb: 0.000004716,
};
