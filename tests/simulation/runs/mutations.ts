/**
 * The guards, each taken out by an edit of the SQL that holds it. With a guard missing the simulation must find
 * a violation; a guard that isn't missed is a hole in the simulation.
 */
import type { SeedKind } from "./seed.ts";
import { schemaSource } from "../../database/schema_source.ts";
import { deletionMutations } from "./deletion_mutations.ts";
import { keyMutations } from "./key_mutations.ts";
import { memberMutations } from "./member_mutations.ts";
import { lakeMutations } from "./lake_mutations.ts";
import { publicationMutations } from "./publication_mutations.ts";
import { waitingMutations } from "./waiting_mutations.ts";
import { namingMutations } from "./naming_mutations.ts";

/** One edit of a function's source: the first text becomes the second. */
interface Edit {
  /** The function's name, which its file bears. */
  sqlFunction: string;
  find: string;
  replace: string;
}

/** A guard and what takes it out. */
export interface Mutation {
  guard: string;
  /** The first seed that misses it; `simulate guards` finds it anew when the simulation has changed. */
  seed: number;
  edits?: Edit[];
  /** The simulation that misses it. @default "runs" */
  kind?: SeedKind;
  /** SQL that goes before the edits. */
  sql?: string;
}

/** Every guard of docs/catalog.md that the catalog holds. */
export const mutations: Mutation[] = [
  {
    guard: "fencing token",
    seed: 12,
    edits: [{
      sqlFunction: "check_token",
      find: "or p.token is distinct from p_token then",
      replace: "then",
    }],
  },
  {
    guard: "inputs-visible count",
    seed: 15,
    edits: [
      {
        sqlFunction: "replace_files",
        find: "if v_in.files <> cardinality(p_inputs) then",
        replace: "if false then",
      },
      {
        sqlFunction: "replace_files",
        find: "where f.removed_version is null and f.state = 'active'\n    and f.dataset_id",
        replace: "where f.dataset_id",
      },
      {
        sqlFunction: "replace_files",
        find: "where f.id = any (array[i.id]) and f.removed_version is null;",
        replace: "where f.id = any (array[i.id]);",
      },
      {
        sqlFunction: "replace_files",
        find: "if v_removed <> cardinality(p_inputs) then",
        replace: "if false then",
      },
    ],
  },
  {
    guard: "staged-object rule",
    seed: 14,
    edits: [{
      sqlFunction: "write_commits",
      find: "where x.object_key = any (array[c.object_key]) and x.state = 'staged'",
      replace: "where x.object_key = any (array[c.object_key])",
    }, {
      sqlFunction: "lock_commit_calls",
      find: "      s.state <> 'staged', false,",
      replace: "      s.state = 'stored', false,",
    }, {
      sqlFunction: "commit_alone",
      find: "if (o.state = 'staged' and",
      replace: "if (o.state <> 'stored' and",
    }, {
      sqlFunction: "commit_alone",
      find: "where x.object_key = o.object_key and x.state = 'staged' and",
      replace: "where x.object_key = o.object_key and",
    }],
  },
  {
    guard: "demand_seq",
    seed: 9,
    edits: [{
      sqlFunction: "close_run",
      find: "v_moved boolean := p.demand_seq > p.claimed_demand_seq;",
      replace: "v_moved boolean := false;",
    }],
  },
  {
    guard: "replay lookup",
    seed: 11,
    edits: [{
      sqlFunction: "commit_compaction",
      find: "  if found then\n    return v_answer",
      replace: "  if false then\n    return v_answer",
    }],
  },
  {
    guard: "seq adjacency",
    seed: 11,
    edits: [{
      sqlFunction: "replace_files",
      find: "if v_dedupe and v_in.files > 1 and v_in.files < (",
      replace: "if false and v_in.files < (",
    }],
  },
  {
    // with lists that leave out all that no plan touches, not from the hundredth on
    guard: "barriers in lists",
    seed: 20,
    edits: [
      {
        sqlFunction: "list_inputs",
        find: "v_told constant integer := 100",
        replace: "v_told constant integer := 0",
      },
      { sqlFunction: "list_inputs", find: "t.after_done is not true", replace: "false" },
    ],
  },
  {
    guard: "token in the output key",
    seed: 2,
    edits: [{
      sqlFunction: "stage_output",
      find: "p_token, p_n);\n",
      replace: "0, p_n);\n",
    }],
  },
  {
    guard: "given-back attempts",
    seed: 11,
    edits: [{
      sqlFunction: "fail_compaction",
      find: "if p_class = 'environment' then",
      replace: "if false then",
    }],
  },
  {
    guard: "breaker",
    seed: 44,
    edits: [{
      sqlFunction: "claim_compaction",
      find: "if v_probe is not null then",
      replace: "if false then",
    }],
  },
  {
    guard: "a probe closes the breaker",
    seed: 44,
    edits: [{
      sqlFunction: "finish_probe",
      find: "if p_passed and b.probes_passed >= 1 then",
      replace: "if false then",
    }],
  },
  {
    guard: "never is not now",
    seed: 1,
    edits: [{
      sqlFunction: "close_run",
      find: "if v_due is not null and not p_progress then",
      replace: "if not p_progress then",
    }],
  },
  {
    guard: "looks at the dead",
    seed: 15,
    edits: [{
      sqlFunction: "dead_letter_run",
      find: "    due_at = v_now + make_interval",
      replace: "    due_at = null::timestamptz + make_interval",
    }],
  },
  {
    guard: "worker slots",
    seed: 17,
    edits: [{
      sqlFunction: "take_slot",
      find:
        "and not exists (select 1 from public.partitions p where p.lease_slot = s.slot and p.lease_expires_at is not null)",
      replace: "",
    }, {
      sqlFunction: "take_slot",
      find: "if found and not exists (",
      replace: "if found or not exists (",
    }],
  },
  {
    guard: "second look",
    kind: "field",
    seed: 41,
    edits: [{
      sqlFunction: "quarantine_file",
      find: "if f.state = 'active' and p_code in ('object_missing', 'object_changed')",
      replace: "if false",
    }],
  },
  {
    guard: "checksums",
    seed: 9,
    edits: [{
      sqlFunction: "list_inputs",
      find: "'checksum', k.checksum",
      replace: "'checksum', null",
    }],
  },
  {
    guard: "healing",
    seed: 9,
    edits: [{
      sqlFunction: "lost_files",
      find: "return (select count(*)",
      replace: "return 0 * (select count(*)",
    }],
  },
  {
    guard: "remaking",
    seed: 53,
    edits: [{
      sqlFunction: "set_aside_lost",
      find: "perform sediment.plan_remake(p_file);",
      replace: "",
    }],
  },
  {
    guard: "what the check finds",
    kind: "field",
    seed: 8,
    edits: [{
      sqlFunction: "commit_store_check",
      find: "v_set_aside := sediment.miss_files(p_found, p_probed);",
      replace: "v_set_aside := 0;",
    }],
  },
  {
    guard: "a known object beside what is missed",
    kind: "field",
    seed: 2,
    edits: [{
      sqlFunction: "miss_files",
      find: "if p_probed is false or",
      replace: "if",
    }],
  },
  {
    guard: "the check's second look",
    kind: "field",
    seed: 11,
    edits: [{
      sqlFunction: "commit_store_check",
      find:
        "case when f.found_at <= coalesce(c.begun_at, v_now) - make_interval(secs => s.second_look_seconds) then v_now end",
      replace: "v_now",
    }, {
      sqlFunction: "store_suspects",
      find: "f.looked_at <= clock_timestamp() - make_interval(secs => s.second_look_seconds)",
      replace: "true",
    }],
  },
  {
    guard: "a second look that counts from when it may have been taken",
    kind: "field",
    seed: 40376,
    edits: [{
      sqlFunction: "commit_store_check",
      find: "coalesce(c.begun_at, v_now)",
      replace: "v_now",
    }],
  },
  {
    guard: "a second look of a worker's after the first, whoever's that was",
    kind: "field",
    seed: 40435,
    edits: [{
      sqlFunction: "quarantine_file",
      find: "p.claimed_at - make_interval",
      replace: "v_now - make_interval",
    }],
  },
  {
    guard: "other controls after a worker that was lost at some",
    kind: "field",
    seed: 40269,
    edits: [{
      sqlFunction: "lose_worker",
      find: "if jsonb_array_length(p.isolation -> 'controls') > 0 then",
      replace: "if false then",
    }],
  },
  {
    guard: "suspecting what a run reads in vain",
    kind: "field",
    seed: 301,
    edits: [{
      sqlFunction: "return_run",
      find: "if p_part = 'store_read' and r.given_back > 1 then",
      replace: "if false then",
    }],
  },
  {
    guard: "taking back what is there",
    kind: "field",
    seed: 2,
    edits: [{
      sqlFunction: "commit_store_check",
      find: "perform sediment.readmit_files(p_sound, p_intact, p_etags);",
      replace: "",
    }],
  },
  {
    guard: "narrowing",
    seed: 8,
    edits: [{
      sqlFunction: "lose_worker",
      find: "if cardinality(p.staged_inputs) > 0 then",
      replace: "if false then",
    }],
  },
  {
    guard: "two deaths alone",
    kind: "field",
    seed: 29,
    edits: [{
      sqlFunction: "narrow_claim",
      find: "if v_deaths >= 2 and (v_iso ->> 'sound')::boolean then",
      replace: "if v_deaths >= 1 then",
    }],
  },
  ...deletionMutations,
  ...memberMutations,
  ...keyMutations,
  ...lakeMutations,
  ...publicationMutations,
  ...waitingMutations,
  ...namingMutations,
  // the last, since its constraint does not come back
  {
    guard: "upload ledger",
    seed: 3,
    sql: `alter table public.uploads drop constraint if exists uploads_identity;
      do $$ declare v text; begin
        for v in select c.conname from pg_constraint c
          where c.conrelid = 'public.uploads'::regclass and c.contype = 'u' loop
          execute format('alter table public.uploads drop constraint %I', v);
        end loop;
        for v in select i.indexrelid::regclass::text from pg_index i
          where i.indrelid = 'public.uploads'::regclass and i.indisunique and not i.indisprimary loop
          execute 'drop index ' || v;
        end loop;
      end $$;`,
    edits: [{
      sqlFunction: "plan_commits",
      find: "left join public.uploads u on u.dataset_id",
      replace: "left join public.uploads u on false and u.dataset_id",
    }, {
      sqlFunction: "commit_alone",
      find: "if exists (select 1 from public.uploads u where",
      replace: "if exists (select 1 from public.uploads u where false and",
    }],
  },
];

/** The order of locks can only be missed by connections that really run at once: see races.ts. */
export const lockOrder: Mutation = {
  guard: "lock order",
  seed: 1,
  edits: [{
    sqlFunction: "write_commits",
    find: "  -- Partitions, sorted by key",
    replace:
      `  perform 1 from public.datasets d where d.id in (select c.dataset_id from unnest(p_calls) as c)
  for no key update;
  -- Partitions, sorted by key`,
  }, {
    sqlFunction: "commit_alone",
    find: "  -- What joins a message that waits is not counted;",
    replace: `  perform 1 from public.datasets d where d.id = o.dataset_id for no key update;
  -- What joins a message that waits is not counted;`,
  }],
};

/**
 * The SQL that takes a guard out.
 *
 * @throws when an edit's text is not in its function: the guard was rewritten, and so must the edit be
 */
export async function mutationSql(mutation: Mutation): Promise<string> {
  const sources = new Map<string, string>();
  for (const { sqlFunction, find, replace } of mutation.edits ?? []) {
    const source = sources.get(sqlFunction) ?? await schemaSource(sqlFunction);
    if (!source.includes(find)) {
      throw new Error(`${mutation.guard}: ${sqlFunction} has no «${find}»`);
    }
    sources.set(sqlFunction, source.replace(find, replace));
  }
  return [mutation.sql ?? "", ...sources.values()].join("\n");
}

/** The SQL that puts a guard back that an edit took out; what {@link Mutation.sql} did stays done. */
export async function originalSql(mutation: Mutation): Promise<string> {
  const names = new Set((mutation.edits ?? []).map(({ sqlFunction }) => sqlFunction));
  return (await Promise.all([...names].map(schemaSource))).join("\n");
}
