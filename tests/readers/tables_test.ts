import { strict as assert } from "node:assert";
import type { Catalog } from "../../shared/catalog/catalog.ts";
import { SedimentError } from "../../shared/errors.ts";
import { tableSchema } from "../../shared/reader/scan/table_schema.ts";
import type { TableSummary } from "../../shared/reader/service/tables.ts";
import { readTables } from "../../shared/readers/tables.ts";

const column = { name: "n", type: "INT32", repetition: "optional" };

/** A catalog of one table, whose files have two schemas. */
const catalogOf = (schemas: Record<string, unknown>) =>
  ({
    listTables: () =>
      Promise.resolve({
        dataset_id: crypto.randomUUID(),
        version: 1,
        committed_at: null,
        partitions: [{
          ...{ table: "t", period_tag: "p", files: 3, rows: 30, bytes: 300, quarantined_files: 0 },
          ...{ uncompressed_bytes: 600, last_uploaded_at: "2026-11-30T00:00:00Z" },
          schemas: [
            { fingerprint: "known", files: 1, rows: 10 },
            { fingerprint: "unknown", files: 2, rows: 20 },
          ],
        }],
        schemas,
        next_cursor: null,
      }),
  }) as unknown as Pick<Catalog, "listTables">;

const tablesOf = async (schemas: Record<string, unknown>) => {
  const query = { dataset_id: crypto.randomUUID(), schemas: "1" } as Parameters<
    typeof readTables
  >[2];
  return (await readTables(catalogOf(schemas), null, query)).tables[0] as unknown as TableSummary;
};

Deno.test("files whose schemas the catalog does not know are counted, and their columns told to be missing", async () => {
  const known = { name: "root", children: [column] };
  const table = await tablesOf({ known });
  assert.deepEqual([table.files, table.columns], [3, [column]]);
  assert.equal(table.conflict, "the catalog does not know the schemas of 2 files");
  assert.deepEqual(table.schemas.map(({ fingerprint }) => fingerprint), ["known"]);

  const none = await tablesOf({});
  assert.deepEqual([none.columns, none.schemas], [[], []]);
  assert.equal(none.conflict, "the catalog does not know the schemas of 3 files");

  assert.equal((await tablesOf({ known, unknown: known })).conflict, null);
});

Deno.test("a reader says so in place of leaving columns out, unless it may", async () => {
  const table = await tablesOf({ known: { name: "root", children: [column] } });
  assert.throws(() => tableSchema(table, undefined, "error"), (error: SedimentError) => {
    assert.equal(error.code, "not_found");
    assert.match(error.message, /table t: .* the schemas of 2 files/);
    return true;
  });
  assert.deepEqual(
    tableSchema(table, undefined, "skip").schema.fields.map((field) => field.name),
    ["n"],
  );
});
