/** Which Node the command line asks for. */

/** As `engines` of the package says, which npm only warns of. */
const oldest = 22;

/** What to say to a Node that is too old; null for one that will do, and for Deno. */
export function refuseOldNode(versions: { node?: string; deno?: string }): string | null {
  const { node, deno } = versions;
  if (deno !== undefined || node === undefined || parseInt(node) >= oldest) return null;
  return `sediment runs on Node ${oldest} or later, and this is ${node}\n` +
    `  npx -y node@${oldest} $(command -v sediment) runs it on a newer one, without an installation`;
}
