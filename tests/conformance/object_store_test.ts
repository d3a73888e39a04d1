/** The stores that are held to `object_store.ts`. Those that need a server of their own say so when skipped. */
import { createMemoryStore } from "../../shared/storage/memory_store.ts";
import { createSupabaseStore } from "../../shared/storage/supabase_store.ts";
import { secretKey, serveStandIn } from "../storage/serve_stand_in.ts";
import { objectStoreConformance } from "./object_store.ts";

const maxObjectBytes = 24_000_000;

objectStoreConformance("memory store", () =>
  Promise.resolve({
    store: createMemoryStore({ maxObjectBytes }),
    close: () => Promise.resolve(),
    fetchable: false,
    maxObjectBytes,
  }));

objectStoreConformance("supabase store on the Storage stand-in", async () => {
  const { url, close } = await serveStandIn({ maxObjectBytes });
  return {
    store: createSupabaseStore({ url, secretKey, bucket: "sediment" }),
    close,
    maxObjectBytes,
  };
});
