/** What every object store must do, whatever is behind it: one suite for all adapters. */
import { brokenPutChecks } from "./object_store/broken_puts.ts";
import { nameChecks } from "./object_store/names.ts";
import { objectChecks } from "./object_store/objects.ts";
import { putChecks } from "./object_store/puts.ts";
import { signedUrlChecks } from "./object_store/signed_urls.ts";
import { checksOf, type OpenedStore, type Register } from "./store_case.ts";

/**
 * Registers the suite.
 * @param name of the store, in the tests' names
 * @param open opens a store; its objects outside of a prefix of its own are left alone
 * @param test where the tests go
 */
export function objectStoreConformance(
  name: string,
  open: () => Promise<OpenedStore>,
  test: Register = Deno.test,
): void {
  const check = checksOf(name, open, test);
  putChecks(check);
  brokenPutChecks(check);
  objectChecks(check);
  nameChecks(check);
  signedUrlChecks(check);
}
