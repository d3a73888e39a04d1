/** One merge by parquet-wasm as it comes: files to record batches, the batches to a file. Argument: a Job as JSON. */
import {
  Compression,
  readParquet,
  transformParquetStream,
  WriterPropertiesBuilder,
} from "parquet-wasm/node";
import { type Job, listedFiles } from "../job.ts";
import { measured } from "../measure.ts";

const job: Job = JSON.parse(Deno.args[0]);
const { cost } = await measured(async () => {
  const files = listedFiles(job.list).values();
  const batches = new ReadableStream({
    pull(controller) {
      const { value: file, done } = files.next();
      if (done) return controller.close();
      for (const batch of readParquet(Deno.readFileSync(file.path)).recordBatches()) {
        controller.enqueue(batch);
      }
    },
  });
  const properties = new WriterPropertiesBuilder().setCompression(Compression.SNAPPY)
    .setMaxRowGroupSize(100_000).build();
  const written = await transformParquetStream(batches, properties);
  const output = await Deno.open(job.output, { write: true, create: true, truncate: true });
  await written.pipeTo(output.writable);
});
console.log(JSON.stringify(cost));
