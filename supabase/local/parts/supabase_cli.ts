import { join } from "node:path";
import { needNpmPackage } from "./npm_packages.ts";
import { platform } from "./platform.ts";

/** The path of the real Supabase CLI of the pinned npm package. */
export async function findSupabaseCli(): Promise<string> {
  return join(await needNpmPackage(`@supabase/cli-${platform}`, "supabase"), "bin", "supabase");
}
