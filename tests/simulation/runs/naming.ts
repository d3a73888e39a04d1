/** Who renames tables in a seed, and under which names bodies are sent meanwhile. */
import type { UploadRequest } from "../../../shared/uploads/upload_request.ts";
import { SedimentError } from "../../../shared/errors.ts";
import type { Owner } from "./actors.ts";
import type { Random } from "./random.ts";
import { latest } from "./rows.ts";
import type { World } from "./world.ts";

/** The tables' first names; later ones are `battles_b` to `battles_g`. */
const firsts = ["battles", "items", latest];

/** What rows of a table begin with, whatever it is called now. */
export function familyOf(table: string): string {
  return table.split("_")[0]!;
}

/** A later name of a table: under each of them a first upload may be on its way when it is given away. */
export function laterName(table: string, chance: Random): string {
  return `${table}_${chance.pick([..."bcdefg"])}`;
}

/** Renames tables; a name that another table has or had is to be refused. */
export async function renamer(
  world: World,
  name: string,
  owners: Owner[],
  rounds: number,
  chance: Random,
): Promise<void> {
  const catalog = world.catalogOf(name);
  for (let round = 0; round < rounds; round++) {
    if (chance.chance(0.4)) await world.clockOf(name).sleep(1_000 * chance.whole(0, 10));
    const { dataset } = chance.pick(owners);
    // a name under which a first upload is on its way: it is to find itself in the renamed table
    const staged = await world.database.sql`
      select distinct o."table" as name from public.objects o
      where o.dataset_id = ${dataset} and o.kind = 'fragment' and o.state = 'staged' and position('_' in o."table") > 0
        and not exists (
          select 1 from public.partitions p where p.dataset_id = o.dataset_id and p."table" = o."table")
      order by 1`;
    const wanted = staged.length > 0 && chance.chance(0.8)
      ? String(chance.pick([...staged]).name)
      : null;
    const table = wanted === null ? chance.pick(firsts) : familyOf(wanted);
    const taken = await world.database.sql`
      select name from public.table_names where dataset_id = ${dataset}
      union select "table" from public.partitions where dataset_id = ${dataset} order by 1`;
    const others = taken.map(({ name }) => String(name)).filter((one) => familyOf(one) !== table);
    const to = wanted ??
      chance.pick([laterName(table, chance), laterName(table, chance), table, ...others]);
    try {
      const told = await catalog.renameTable({ user: null, dataset, table, name: to });
      if (familyOf(told.table) !== table) {
        world.violations.push(`I3: ${table} is called ${told.table}, as another table is or was`);
      }
    } catch (thrown) {
      if (!(thrown instanceof SedimentError)) throw thrown;
    }
  }
}

/** The first name of each name that a renamed table has or had. */
export async function firstNames(world: World, dataset: string): Promise<Map<string, string>> {
  if (!world.naming) return new Map();
  const rows = await world.database.sql`
    select name, "table" from public.table_names where dataset_id = ${dataset}`;
  return new Map(rows.map(({ name, table }) => [String(name), String(table)]));
}

/** The body as a client sends it that knows another name of its tables. */
export async function respelled(world: World, request: UploadRequest): Promise<UploadRequest> {
  const chance = world.naming;
  if (!chance?.chance(0.5)) return request;
  const known = await firstNames(world, request.datasetId);
  const spell = (table: string) => {
    const first = known.get(table);
    const names = [...known].filter(([, of]) => of === first).map(([name]) => name).toSorted();
    return first === undefined ? table : chance.pick(names);
  };
  const named = spell(request.table);
  return {
    ...request,
    table: named,
    slices: request.slices.map((slice, n) => ({
      ...slice,
      table: n === 0 && slice.table === request.table ? named : spell(slice.table),
    })),
  } as UploadRequest;
}
