import { strict as assert } from "node:assert";
import { passesControl } from "../../shared/compaction/run/control.ts";
import { type Claim, type InputFile, type Merge } from "../../shared/compaction/run/ports.ts";
import { createMemoryStore } from "../support/memory_store.ts";
import { lineMerge } from "./turn_world.ts";

const settings = {
  target_row_group_bytes: 1,
  target_page_bytes: 1,
  codec: "zstd",
  sort_keys: ["a"],
  dedupe_keys: ["a"],
} as unknown as Claim["settings"];

const file = (id: number, text: string, rows: number): InputFile => ({
  id,
  object_key: `k/${id}`,
  start_byte: 0,
  byte_length: text.length,
  row_count: rows,
  level: 1,
} as unknown as InputFile);

async function storeOf(texts: Record<number, string>) {
  const store = createMemoryStore();
  for (const [id, text] of Object.entries(texts)) {
    await store.put(`k/${id}`, new TextEncoder().encode(text));
  }
  return store;
}

const stop = () => new AbortController().signal;

Deno.test("a known file that is gone does not keep another from passing", async () => {
  const store = await storeOf({ 2: "a\nb\n" });
  const files = [file(1, "a\n", 1), file(2, "a\nb\n", 2)];
  assert.equal(await passesControl({ store, merge: lineMerge }, files, { settings }, stop()), true);
});

Deno.test("a file that is broken, or has other rows than the catalog says, has not passed", async () => {
  const store = await storeOf({ 1: "!\n", 2: "a\nb\n" });
  const files = [file(1, "!\n", 1), file(2, "a\nb\n", 3)];
  const ports = { store, merge: lineMerge };
  assert.equal(await passesControl(ports, files, { settings }, stop()), false);
  assert.equal(await passesControl(ports, [], { settings }, stop()), false);
});

Deno.test("it is merged without the keys of the table on trial, and nothing is stored", async () => {
  const store = await storeOf({ 1: "a\n" });
  const orders: unknown[] = [];
  const merge: Merge = (plan, ...rest) => {
    orders.push(plan.order);
    return lineMerge(plan, ...rest);
  };
  assert.equal(
    await passesControl({ store, merge }, [file(1, "a\n", 1)], { settings }, stop()),
    true,
  );
  assert.deepEqual(orders, [undefined]);
  assert.deepEqual([...store.objects.keys()], ["k/1"]);
});

Deno.test("a turn that is stopped meanwhile says so", async () => {
  const store = await storeOf({ 1: "a\n" });
  const signal = AbortSignal.abort();
  await assert.rejects(
    passesControl({ store, merge: lineMerge }, [file(1, "a\n", 1)], { settings }, signal),
    { code: "aborted" },
  );
});
