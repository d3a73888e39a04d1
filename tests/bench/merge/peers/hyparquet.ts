/** One merge by hyparquet and hyparquet-writer: columns as JavaScript arrays. Argument: a Job as JSON. */
import { type FileMetaData, parquetMetadata, parquetRead } from "hyparquet";
import { parquetWriteFile } from "hyparquet-writer";
import { type Job, listedFiles } from "../job.ts";
import { measured } from "../measure.ts";

const job: Job = JSON.parse(Deno.args[0]);
const { cost } = await measured(async () => {
  let schema: FileMetaData["schema"] | undefined;
  const columns = new Map<string, unknown[]>();
  for (const { path } of listedFiles(job.list)) {
    const file = Deno.readFileSync(path).buffer;
    const metadata = parquetMetadata(file);
    schema ??= metadata.schema;
    await parquetRead({
      file,
      metadata,
      // a Date would lose the microseconds
      parsers: { timestampFromMicroseconds: (micros: bigint) => micros },
      onChunk({ columnName, columnData }) {
        let column = columns.get(columnName);
        if (column === undefined) columns.set(columnName, column = []);
        for (let i = 0; i < columnData.length; i++) column.push(columnData[i]);
      },
    });
  }
  parquetWriteFile({
    filename: job.output,
    schema,
    columnData: [...columns].map(([name, data]) => ({ name, data })),
    codec: "SNAPPY",
    rowGroupSize: 100_000,
  });
});
console.log(JSON.stringify(cost));
