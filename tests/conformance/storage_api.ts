/**
 * What Supabase's Storage API does, through supabase-js and by plain HTTP: the suite that keeps the stand-in
 * honest. It asserts only what the real one also does, so it can be pointed at a project by URL and keys.
 */
import { bucketChecks } from "./storage_api/buckets.ts";
import { listingChecks } from "./storage_api/listings.ts";
import { objectChecks } from "./storage_api/objects.ts";
import { signedUrlChecks } from "./storage_api/signed_urls.ts";
import { strangerChecks } from "./storage_api/strangers.ts";
import { checksOf, type OpenedStorageApi } from "./storage_api/case.ts";

/**
 * Registers the suite; each test makes a bucket of its own and deletes it.
 * @param test where the tests go
 */
export function storageApiConformance(
  name: string,
  open: () => Promise<OpenedStorageApi>,
  test: (name: string, run: () => Promise<void>) => void = Deno.test,
): void {
  const check = checksOf(name, open, test);
  objectChecks(check);
  signedUrlChecks(check);
  listingChecks(check);
  bucketChecks(check);
  strangerChecks(check);
}
