/** @jsxImportSource preact */
import { useMemo } from "preact/hooks";
import { Chart } from "./chart.tsx";
import { bytesText, countText, spanText } from "./words.ts";

/** Where the counters stood and what there was at a moment; null: nobody counted. */
export interface Sample {
  at: string;
  uploads: number | null;
  upload_bytes: number | null;
  merges: number;
  files_merged: number;
  lag_seconds: number;
  debt_partitions: number | null;
  debt_oldest_seconds: number | null;
  row_count?: number | null;
  file_count?: number | null;
  stored_bytes?: number | null;
}

const sum = (values: (number | null)[]) =>
  values.reduce((total: number, value) => total + (value ?? 0), 0);

/** What counters rose by from sample to sample; they only rise: what a restored database had less of is nothing. */
const risen = (samples: Sample[], of: (sample: Sample) => number | null) =>
  samples.slice(1).map((sample, i) => Math.max(0, (of(sample) ?? 0) - (of(samples[i]) ?? 0)));

/** The lines of a deployment, or of a user's datasets. */
export function Charts({ samples }: { samples: Sample[] }) {
  const lines = useMemo(() => {
    const times = samples.map(({ at }) => Date.parse(at) / 1000);
    const merges = risen(samples, ({ merges }) => merges);
    const known = (of: (sample: Sample) => number | null | undefined) => {
      const values = samples.map((sample) => of(sample) ?? null);
      return values.some((value) => value !== null) ? values : null;
    };
    return {
      times,
      later: times.slice(1),
      uploads: known(({ uploads }) => uploads) && risen(samples, ({ uploads }) => uploads),
      bytes: known((s) => s.upload_bytes) && risen(samples, (s) => s.upload_bytes),
      merged: risen(samples, ({ files_merged }) => files_merged),
      lag: risen(samples, ({ lag_seconds }) => lag_seconds)
        .map((seconds, i) => merges[i] > 0 ? seconds / merges[i] : null),
      debt: known((s) => s.debt_partitions),
      oldest: known((s) => s.debt_oldest_seconds),
      rows: known((s) => s.row_count),
      files: known((s) => s.file_count),
      stored: known((s) => s.stored_bytes),
    };
  }, [samples]);
  const lags = lines.lag.filter((value) => value !== null);
  const mean = lags.length > 0 ? sum(lags) / lags.length : null;
  const bars = (title: string, values: number[] | null, text: (n: number) => string) =>
    values && (
      <Chart
        title={title}
        says={text(sum(values))}
        times={lines.later}
        values={values}
        text={text}
        bars
      />
    );
  const line = (title: string, values: (number | null)[] | null, text: (n: number) => string) =>
    values && (
      <Chart
        title={title}
        says={text(values.at(-1) ?? 0)}
        times={lines.times}
        values={values}
        text={text}
      />
    );
  return (
    <div class="charts">
      {bars("Uploads", lines.uploads, countText)}
      {bars("Uploaded", lines.bytes, bytesText)}
      {line("Rows", lines.rows, countText)}
      {line("Files", lines.files, countText)}
      {line("Stored", lines.stored, bytesText)}
      {bars("Files merged", lines.merged, countText)}
      <Chart
        title="From due to merged"
        says={mean === null ? "no merges" : `${spanText(mean)} on average`}
        times={lines.later}
        values={lines.lag}
        text={spanText}
      />
      {line("Partitions that owe work", lines.debt, countText)}
      {line("The oldest debt", lines.oldest, spanText)}
    </div>
  );
}
