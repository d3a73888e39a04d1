/** `linux-x64`, `darwin-arm64`, …: as npm's platform packages are named. */
export const platform = `${Deno.build.os === "darwin" ? "darwin" : Deno.build.os}-${
  Deno.build.arch === "x86_64" ? "x64" : "arm64"
}`;
