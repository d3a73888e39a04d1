import { deepEqual, equal } from "node:assert/strict";
import { FileWriter } from "../../../shared/parquet/write/file_writer.ts";
import { JoinedViews } from "../../../shared/parquet/write/joined_views.ts";

Deno.test("views that follow each other are written as one, others by themselves, all in order", async () => {
  const writes: number[][] = [];
  const writer = new FileWriter({
    write(chunk) {
      writes.push([chunk.length, chunk[0]]);
      return Promise.resolve();
    },
  });
  // pieces over half of a block go to the sink as they are
  const size = 200_000;
  const bytes = new Uint8Array(4 * size);
  for (let part = 0; part < 4; part++) bytes[part * size] = part + 1;
  const part = (i: number) => bytes.subarray(i * size, (i + 1) * size);
  const joined = new JoinedViews(writer);
  equal(joined.offset, 0);
  joined.add(part(0));
  equal(joined.offset, size);
  joined.add(part(1));
  joined.add(part(3));
  joined.add(part(3).slice());
  equal(joined.offset, 4 * size);
  await joined.flush();
  await joined.flush();
  deepEqual(writes, [[2 * size, 1], [size, 4], [size, 4]]);
  equal(writer.offset, 4 * size);
});
