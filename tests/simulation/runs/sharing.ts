/** Who shares datasets in a seed: members come and go, owners change while uploads and merges run. */
import { SedimentError } from "../../../shared/errors.ts";
import type { Owner } from "./actors.ts";
import type { World } from "./world.ts";

/** Invites, removes, hands over; any of these may fail, or be done without its answer. */
export async function sharer(world: World, name: string, owners: Owner[], rounds: number) {
  const catalog = world.catalogOf(name);
  const { random, guests } = world;
  for (let round = 0; round < rounds; round++) {
    if (random.chance(0.3)) await world.clockOf(name).sleep(1_000 * random.whole(0, 5));
    const { dataset, user } = random.pick(owners);
    const guest = random.pick([user, ...guests]);
    // the service acts for whoever owns it by now
    const role = random.pick(
      ["owner", "writer", "writer", "writer", "reader", null, null] as const,
    );
    await attempt(async () => {
      if (role === null) {
        const members = await world.database.sql`
          select user_id from public.dataset_members where dataset_id = ${dataset} order by user_id`;
        if (members.length === 0) return;
        const member = String(random.pick([...members]).user_id);
        await catalog.removeMember({ user: null, dataset, member });
        return;
      }
      const keepRole = role === "owner" ? random.pick(["writer", "reader", null] as const) : null;
      const { token } = await catalog.inviteMember({ user: null, dataset, role, keepRole });
      await catalog.acceptInvitation({ user: guest, token });
      // a client that has lost the answer asks again
      if (random.chance(0.3)) await catalog.acceptInvitation({ user: guest, token });
    });
  }
}

/**
 * Whether each dataset still is one user's, who is no member, and went with no other user than its owner. What came after
 * what the transactions tell, since the clock runs backwards now and then.
 */
export async function checkSharing(world: World): Promise<void> {
  const wrong = await world.database.sql`
    select 'the owner of ' || d.id || ' is a member' as what
    from public.datasets d join public.dataset_members m on m.dataset_id = d.id and m.user_id = d.user_id
    union all
    select 'dataset ' || x.dataset_id || ' went with user ' || p.user_id || ', whose it was not'
    from public.deletions x join public.deletions p on p.id = x.parent_id where x.user_id <> p.user_id
    union all
    select 'invitation ' || i.id || ' is open after the handover that followed it'
    from public.dataset_invitations i
    where i.accepted_at is null and i.revoked_at is null and exists (
      select 1 from public.dataset_invitations h where h.dataset_id = i.dataset_id and h.role = 'owner'
        and h.accepted_at is not null and h.xmin::text::bigint > i.xmin::text::bigint)`;
  for (const { what } of wrong) world.violations.push(`I14: ${what}`);
}

async function attempt(action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (thrown) {
    if (!(thrown instanceof SedimentError)) throw thrown;
  }
}
