import { stackError } from "./stack_error.ts";

/** `linux-x64`, `darwin-arm64`, …: as npm's platform packages are named. */
export const platform = `${Deno.build.os}-${Deno.build.arch === "x86_64" ? "x64" : "arm64"}`;

/** Platforms for which all parts exist, the last ones with PostgREST installed by hand. */
const supported = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"];

/** @throws part_missing on a platform that the parts don't exist for */
export function demandPlatform(name = platform): void {
  if (supported.includes(name)) return;
  throw stackError(
    "part_missing",
    `The embedded Supabase does not run on ${name}.`,
    name.startsWith("windows")
      ? "Run it in WSL2: wsl --install, then the same command there."
      : `It runs on ${supported.join(", ")}.`,
  );
}
