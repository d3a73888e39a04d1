/** The Storage APIs that are held to `storage_api.ts`, and the Supabase adapter on them. */
import { createSupabaseStore } from "../../shared/storage/supabase_store.ts";
import { freshStandIn } from "../storage/fresh_stand_in.ts";
import { publishableKey, secretKey } from "../storage/serve_stand_in.ts";
import { objectStoreConformance } from "./object_store.ts";
import { resumableConformance } from "./resumable.ts";
import { storageApiConformance } from "./storage_api.ts";

const openStandIn = async () => {
  const { url, close } = await freshStandIn();
  return { url, secretKey, publishableKey, close };
};
storageApiConformance("Storage stand-in", openStandIn);
resumableConformance("Storage stand-in, resumable", openStandIn);

const env = (name: string) => Deno.env.get(`SUPABASE_CONFORMANCE_${name}`);
const project = { url: env("URL"), secretKey: env("KEY"), publishableKey: env("PUBLISHABLE_KEY") };

if (project.url && project.secretKey) {
  const { url, secretKey, publishableKey } = project;
  const close = () => Promise.resolve();
  const open = () => Promise.resolve({ url, secretKey, publishableKey, close });
  storageApiConformance(`Storage of ${url}`, open);
  resumableConformance(`Storage of ${url}, resumable`, open);
  const store = createSupabaseStore({ url, secretKey, bucket: env("BUCKET") ?? "sediment" });
  objectStoreConformance(`supabase store on ${url}`, () => Promise.resolve({ store, close }));
} else {
  console.log(
    "skipped: a real Supabase (no SUPABASE_CONFORMANCE_URL and SUPABASE_CONFORMANCE_KEY)",
  );
}
