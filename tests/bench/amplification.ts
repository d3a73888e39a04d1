/**
 * `deno task bench amplification [--json]`: 30 days of uploads to one partition through the planner alone, with the
 * default settings, and of a table that dedupes: how often each byte is written by merges, and how many files a reader
 * finds meanwhile.
 */
import { defaultSettings, simulateUploads } from "../compaction/simulated_uploads.ts";

const days = 30;
const json = Deno.args.includes("--json");
if (!json) {
  console.log(
    "dedupes  uploads/day  bytes each  written/uploaded  deepest  merges  files (mean)  files (end)",
  );
}
const months = [4_000, 40_000, 400_000].flatMap((bytes) =>
  [24, 100, 1000].map((perDay) => ({ bytes, perDay, dedupes: false }))
);
months.push({ bytes: 40_000, perDay: 100, dedupes: true });
months.push({ bytes: 40_000, perDay: 1000, dedupes: true });
for (const { bytes, perDay, dedupes } of months) {
  const uploads = Array.from(
    { length: days * perDay },
    () => ({ bytes, gap: 86_400 / perDay }),
  );
  const found = simulateUploads(uploads, {
    ...defaultSettings,
    dedupe_keys: dedupes ? ["id"] : [],
  });
  const line = {
    dedupes,
    uploads_per_day: perDay,
    bytes_each: bytes,
    write_amplification: Number((found.writtenBytes / found.uploadedBytes).toFixed(2)),
    deepest: found.deepest,
    merges: found.merges,
    mean_files: Number(found.meanFiles.toFixed(1)),
    files: found.files,
  };
  if (json) console.log(JSON.stringify(line));
  else {
    const widths = [7, 11, 10, 16, 7, 6, 12, 11];
    console.log(Object.values(line).map((n, i) => String(n).padStart(widths[i])).join("  "));
  }
}
