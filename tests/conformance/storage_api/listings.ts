/** Listings, removals, copies and moves. Part of the suite of the Storage API. */
import { strict as assert } from "node:assert";

import { bytesOf, type Check, content, done, refused, textOf } from "./case.ts";

/** Registers these checks. */
export function listingChecks(check: Check): void {
  check("a listing has folders and files of one level", async ({ files }) => {
    for (const key of ["b", "a", "dir/x", "dir/y", "dir/deep/z", "dir2/x", "c"]) {
      done(await files.upload(key, key));
    }
    const names = async (...call: Parameters<typeof files.list>) =>
      done(await files.list(...call)).map((row) => row.name);
    assert.deepEqual((await names()).sort(), ["a", "b", "c", "dir", "dir2"]);
    assert.deepEqual((await names("dir")).sort(), ["deep", "x", "y"]);
    assert.deepEqual((await names("dir/")).sort(), ["deep", "x", "y"]);
    assert.deepEqual(await names("nowhere"), []);
    assert.deepEqual(await names("", { search: "dir2" }), ["dir2"]);
    assert.deepEqual(await names("dir", { search: "x" }), ["x"]);

    const all = await names("dir", { sortBy: { column: "name", order: "asc" } });
    assert.deepEqual(await names("dir", { limit: 2 }), all.slice(0, 2));
    assert.deepEqual(await names("dir", { limit: 2, offset: 1 }), all.slice(1, 3));
    assert.deepEqual(await names("dir", { offset: 3 }), []);
    const onlyFiles = (rows: string[]) => rows.filter((row) => row !== "deep");
    const descending = await names("dir", { sortBy: { column: "name", order: "desc" } });
    assert.deepEqual(onlyFiles(descending), ["y", "x"]);
    const byBirth = await names("dir", { sortBy: { column: "created_at", order: "asc" } });
    assert.deepEqual(onlyFiles(byBirth), ["x", "y"]);

    const rows = done(await files.list("dir"));
    const folder = rows.find((row) => row.name === "deep")!;
    assert.deepEqual([folder.id, folder.metadata], [null, null]);
    const file = rows.find((row) => row.name === "x")!;
    assert.equal(file.metadata?.size, 5);
    assert.match(file.metadata?.eTag, /^"/);
    done(await files.remove(["dir/deep/z"]));
    assert.deepEqual((await names("dir")).sort(), ["x", "y"], "an empty folder is none");
  });

  check("a listing by cursor has keys in order", async ({ files }) => {
    const keys = ["k/1", "k-1", "k/10", "k/2/x", "k.1", "K/1", "l"].sort();
    for (const key of keys) done(await files.upload(key, key));
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = done(await files.listV2({ limit: 2, cursor, with_delimiter: false }));
      found.push(...page.objects.map((object) => object.name));
      assert.equal(page.hasNext, page.nextCursor !== undefined);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    assert.deepEqual(found, keys);

    const under = done(await files.listV2({ prefix: "k/", with_delimiter: true }));
    assert.deepEqual(under.objects.map((object) => object.name), ["k/1", "k/10"]);
    assert.deepEqual(under.folders.map((folder) => folder.name), ["k/2/"]);
    assert.deepEqual(under.objects.map((object) => object.key ?? "1"), ["1", "10"]);
  });

  check("a removal tells what it removed", async ({ files }) => {
    for (const key of ["x/1", "x/2", "y"]) done(await files.upload(key, key));
    const removed = done(await files.remove(["x/1", "absent", "y"]));
    assert.deepEqual(removed.map((row) => row.name).sort(), ["x/1", "y"]);
    assert.deepEqual(done(await files.remove(["x/1"])), []);
    refused(await files.download("x/1"), 404);
    assert.equal(await textOf(done(await files.download("x/2"))), "x/2");
  });

  check("a copy keeps bytes and type, and replaces nothing", async ({ files }) => {
    done(await files.upload("from", content, { contentType: "application/x-test" }));
    const { path } = done(await files.copy("from", "deep/to"));
    assert.ok(path.endsWith("/deep/to"));
    assert.deepEqual(await bytesOf(done(await files.download("deep/to"))), content);
    assert.equal(done(await files.info("deep/to")).contentType, "application/x-test");
    done(await files.upload("other", "other"));
    refused(await files.copy("from", "other"), 409);
    assert.equal(await textOf(done(await files.download("other"))), "other");
  });

  check("a move takes the old key away, and replaces nothing", async ({ files }) => {
    done(await files.upload("from", content));
    done(await files.move("from", "deep/to"));
    assert.deepEqual(await bytesOf(done(await files.download("deep/to"))), content);
    refused(await files.download("from"), 404);
    done(await files.upload("other", "other"));
    refused(await files.move("deep/to", "other"), 409);
    assert.equal(await textOf(done(await files.download("other"))), "other");
    assert.deepEqual(await bytesOf(done(await files.download("deep/to"))), content);
  });
}
