/** Watches calls for I15: a key reads its dataset until its end or the dataset's, no URL of its manifests outlives it, and it writes nothing. */
import { SedimentError } from "../../../shared/errors.ts";
import type { World } from "./world.ts";

/** Makes a call of the catalog, and judges its answer by what has become of the key that asks, or of all of a dataset. */
export async function watchKeys(
  world: World,
  method: string,
  args: { user?: unknown; dataset?: unknown; key?: unknown },
  call: () => Promise<unknown>,
): Promise<unknown> {
  const { database: { sql }, endedKeys, violations } = world;
  if (method === "revokeKey") {
    const answer = await call();
    const [key] = await sql`select user_id from public.dataset_keys where id = ${String(args.key)}`;
    if (key) endedKeys.add(String(key.user_id));
    return answer;
  }
  if (method === "acceptInvitation") {
    const owners = async () =>
      new Map(
        (await sql`select id, user_id from public.datasets`).map((one) => [one.id, one.user_id]),
      );
    const before = await owners();
    const answer = await call();
    const moved = [...await owners()].filter(([id, user]) => before.get(id) !== user);
    for (const [dataset] of moved) {
      const keys = await sql`select user_id from public.dataset_keys where dataset_id = ${dataset}`;
      for (const key of keys) endedKeys.add(String(key.user_id));
    }
    return answer;
  }
  if (method !== "listFiles" && method !== "stageUpload") return await call();
  const user = String(args.user);
  const [key] = await sql`
    select k.activated_at is not null and k.expires_at > simulation.clock() and d.deleted_at is null as lives,
      extract(epoch from k.expires_at - simulation.clock()) as left
    from public.dataset_keys k join public.datasets d on d.id = k.dataset_id where k.user_id::text = ${user}`;
  if (!key) return await call();
  const reads = method === "listFiles" && key.lives && !endedKeys.has(user);
  let answer;
  try {
    answer = await call();
  } catch (thrown) {
    const refused = thrown instanceof SedimentError && thrown.code === "dataset_forbidden";
    if (refused && reads) violations.push(`I15: the key of ${user} lives, and was refused`);
    throw thrown;
  }
  if (!reads) violations.push(`I15: ${method} of a key that may not was let through: ${user}`);
  const seconds = (answer as { signed_url_seconds?: number }).signed_url_seconds ?? 0;
  // a URL lives for a second at least
  if (seconds > Math.max(1, Number(key.left))) {
    violations.push(`I15: URLs for ${seconds} s, of a key that ends in ${key.left} s`);
  }
  return answer;
}
