/** What differs between the versions of PostgREST that the stack may find. */

/**
 * The major version of a PostgREST, such as 14; null when the program doesn't tell.
 *
 * @param program its path
 */
export async function postgrestMajor(program: string): Promise<number | null> {
  try {
    const { stdout } = await new Deno.Command(program, {
      args: ["--version"],
      stdin: "null",
      stderr: "null",
    }).output();
    const [, major] = /(\d+)\.\d+/.exec(new TextDecoder().decode(stdout)) ?? [];
    return major === undefined ? null : Number(major);
  } catch {
    return null; // the start that follows says why
  }
}

/** What one version is told beside what all of them understand. */
export interface VersionSettings {
  config: Record<string, string | number>;
  env: Record<string, string>;
}

/**
 * The settings of one major version. Source: PostgREST's CHANGELOG (12.0.0 brought `jwt-cache-max-lifetime`, 14.0 took
 * it away for a cache that is on by itself).
 */
export function versionSettings(major: number | null): VersionSettings {
  if (major === null || major >= 14) return { config: {}, env: {} };
  return {
    // The gateway makes the same few tokens again and again (seconds).
    config: { "jwt-cache-max-lifetime": 600 },
    // Built for many cores; one core's worth of PostgREST is more than enough beside a database.
    env: { GHCRTS: "-N1 -A16m" },
  };
}
