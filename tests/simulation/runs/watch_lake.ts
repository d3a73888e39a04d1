/**
 * I17, what the lake shows: at each kept snapshot every dataset as it is at one of its versions, whole; what it showed it shows
 * as long as the snapshot is kept, of purges nothing; and what it shows is stored.
 */
import { Random } from "./random.ts";
import type { World } from "./world.ts";

/** The lake's snapshots of a seed, each with what it showed when it was published. */
export class Publications {
  /** Of each snapshot its files, by their ids, with the objects that they were in. */
  readonly #published = new Map<number, Map<string, string>>();
  readonly #chance: Random;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.#chance = new Random(world.seed * 937 + 41);
  }

  /** Publishes what has come so far, or a part of it, and looks at all kept snapshots. */
  async publish(all = false): Promise<void> {
    const { database: { sql }, violations } = this.#world;
    const before = await this.#shown();
    const [{ tables }] = await sql`
      select count(*)::int as tables from public.lake_pending where dataset_id is null`;
    const most = all ? 1_000 : this.#chance.whole(1, 3);
    const [{ answer }] = await sql`select sediment.publish_lake(${most}) as answer`;
    const after = await this.#shown();
    if (answer.snapshot !== null) {
      const files = new Map([...after.values()].flatMap((each) => [...each]));
      this.#published.set(Number(answer.snapshot), files);
    }
    const pending = (await sql`select distinct dataset_id from public.lake_pending`)
      .map((row) => row.dataset_id as string | null);
    // a table that came or went: its files of before come some at a time
    if (tables === 0 && !pending.includes(null)) {
      const right = byDataset(
        await sql<Row[]>`
        select f.dataset_id, f.id::text as file, f.object_key from public.battle_files f
        join public.lake_tables t on t.name = f."table" and t.withdrawn_at is null
        where f.removed_version is null and f.state = 'active' and f.lake_version = 1
          and not sediment.is_marked(f, 9223372036854775807)
          and not exists (select 1 from public.lake_left_files l where l.battle_file = f.id)`,
      );
      for (const dataset of new Set([...right.keys(), ...after.keys()])) {
        const wanted = pending.includes(dataset) ? before.get(dataset) : right.get(dataset);
        if (text(after.get(dataset)) !== text(wanted)) {
          violations.push(
            `I17: snapshot ${answer.snapshot} shows ${
              text(after.get(dataset))
            } of ${dataset}, not ${text(wanted)}`,
          );
        }
      }
    }
    await this.#checkKept();
  }

  /** Publishes until nothing is left. */
  async comeToRest(): Promise<void> {
    const { database: { sql }, violations } = this.#world;
    for (let round = 0; round < 20; round++) {
      await this.publish(true);
      const [{ left }] = await sql`select count(*)::int as left from public.lake_pending`;
      if (left === 0) return;
    }
    violations.push("I17: the publications come to no end");
  }

  /** What kept snapshots show is what they showed, of files that are there still, in objects that are stored. */
  async #checkKept(): Promise<void> {
    const { database: { sql }, store, decayed, violations } = this.#world;
    const kept = await sql`
      select s.id::int as snapshot, f.battle_file::text as file, f.object_key, b.id is not null as is_there,
        b.object_key = f.object_key as is_same
      from public.lake_snapshots s
      join public.lake_files f on f.begin_snapshot <= s.id and coalesce(f.end_snapshot, s.id + 1) > s.id
      left join public.battle_files b on b.id = f.battle_file`;
    const shown = new Map<number, Map<string, string>>();
    for (const { snapshot, file, object_key, is_there, is_same } of kept) {
      const files = shown.get(snapshot) ?? new Map<string, string>();
      shown.set(snapshot, files.set(file, object_key));
      if (!is_there) violations.push(`I17: snapshot ${snapshot} shows file ${file}, which is gone`);
      // one that was remade has left its lost object behind
      else if (is_same && !store.objects.has(object_key) && !decayed.has(object_key)) {
        violations.push(`I17: snapshot ${snapshot} shows ${object_key}, which is not stored`);
      }
    }
    const purged = new Set(
      [...this.#published.values()].flatMap((files) => [...files.keys()]),
    );
    for (const { id } of await sql`select id::text from public.battle_files`) purged.delete(id);
    const snapshots = await sql`select id::int from public.lake_snapshots`;
    for (const { id } of snapshots) {
      const then = this.#published.get(id);
      if (then === undefined) continue;
      const left = new Map([...then].filter(([file]) => !purged.has(file)));
      if (text(shown.get(id)) !== text(left)) {
        violations.push(
          `I17: snapshot ${id} shows ${text(shown.get(id))}, and showed ${text(left)}`,
        );
      }
    }
  }

  async #shown(): Promise<Map<string, Map<string, string>>> {
    return byDataset(
      await this.#world.database.sql<Row[]>`
      select dataset_id, battle_file::text as file, object_key from public.lake_files where end_snapshot is null`,
    );
  }
}

/** A file of a dataset. */
interface Row {
  dataset_id: string;
  file: string;
  object_key: string;
}

function byDataset(rows: Iterable<Row>): Map<string, Map<string, string>> {
  const datasets = new Map<string, Map<string, string>>();
  for (const { dataset_id, file, object_key } of rows) {
    const files = datasets.get(dataset_id) ?? new Map<string, string>();
    datasets.set(dataset_id, files.set(file, object_key));
  }
  return datasets;
}

function text(files: Map<string, string> = new Map()): string {
  return JSON.stringify([...files].sort());
}
