import { join } from "node:path";
import { listFiles, writeFiles } from "./data.ts";
import { median } from "../median.ts";
import { inProcess, listOf } from "./process.ts";
import { makeShape } from "./shapes.ts";

/** How the cost grows: CPU of one merge and of another ten times its size. */
export interface Growth {
  growth: string;
  from_ms: number;
  to_ms: number;
  times: number;
  /** What a merge may grow by. */
  must: number;
}

/** Ten times the fragments at equal rows, and ten times the rows at equal rows a fragment. */
export async function* growth(data: string, folder: string, runs: number): AsyncGenerator<Growth> {
  const { plan } = await makeShape(data, "A");
  const files = async (name: string, files: number, rowsEach: number) => {
    await writeFiles(join(data, name), { files, rowsEach });
    return { rows: files * rowsEach, files: await listFiles(join(data, name)) };
  };
  const cases = [
    {
      name: "10 × fragments, 250,000 rows",
      from: await files("grow-few", 50, 5_000),
      to: (await makeShape(data, "A")).files,
      rows: [250_000, 250_000],
      must: 3,
    },
    {
      name: "10 × rows, 500 a fragment",
      from: await files("grow-small", 50, 500),
      to: (await makeShape(data, "A")).files,
      rows: [25_000, 250_000],
      must: 10.5,
    },
    {
      name: "10 × rows, 5,000 a fragment",
      from: await files("grow-middle", 20, 5_000),
      to: (await files("grow-large", 200, 5_000)).files,
      rows: [100_000, 1_000_000],
      must: 10.5,
    },
  ];
  for (const { name, from, to, rows, must } of cases) {
    const times: number[][] = [[], []];
    for (let run = 0; run < runs; run++) {
      for (const [i, paths] of [from.files, to].entries()) {
        const list = join(folder, "files.txt");
        await Deno.writeTextFile(list, listOf(paths));
        const job = { list, output: "/dev/null", plan: { ...plan, expectedRows: rows[i] } };
        times[i].push((await inProcess("./ours.ts", JSON.stringify(job))).cpuMs);
      }
    }
    const [before, after] = times.map(median);
    yield {
      growth: name,
      from_ms: Math.round(before),
      to_ms: Math.round(after),
      times: Number((after / before).toFixed(2)),
      must,
    };
  }
}
