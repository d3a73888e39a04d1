/**
 * Compares two databases completely: by pg-delta, Supabase's own engine, which knows how to get from one to the
 * other, and by the facts that it leaves out.
 */
import { type Action, extract, plan } from "@supabase/pg-delta";
import pg from "pg";
import { withClient } from "../local/postgres/scratch_cluster.ts";
import { type Fact, readFacts } from "./facts.ts";

/** What one database lacks to be the other. */
export interface Difference {
  /** Statements that bring it there, in an order that works. */
  actions: Action[];
  /** Facts that differ: as they are, and as they should be; either may be absent. */
  facts: { kind: string; name: string; is?: string; should?: string }[];
}

/**
 * @param fromUrl the database as it is
 * @param toUrl the database as it should be
 * @throws when either holds an object of a kind that the engine can't compare
 */
export async function compareDatabases(fromUrl: string, toUrl: string): Promise<Difference> {
  const [from, to] = await Promise.all([fromUrl, toUrl].map(extractAll));
  const [is, should] = await Promise.all(
    [fromUrl, toUrl].map((url) => withClient(url, readFacts)),
  );
  return {
    actions: plan(from, to).actions,
    facts: differing(is, should),
  };
}

async function extractAll(url: string) {
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  try {
    const { factBase, diagnostics } = await extract(pool);
    const unmodeled = diagnostics.filter(({ code }) => code === "unmodeled_kind");
    if (unmodeled.length > 0) {
      throw new Error(unmodeled.map(({ message }) => message).join("\n"));
    }
    return factBase;
  } finally {
    await pool.end();
  }
}

function differing(is: Fact[], should: Fact[]): Difference["facts"] {
  const byName = (facts: Fact[]) =>
    new Map(facts.map((fact) => [`${fact.kind} ${fact.name}`, fact]));
  const [left, right] = [byName(is), byName(should)];
  return [...new Set([...left.keys(), ...right.keys()])].sort()
    .filter((key) => left.get(key)?.what !== right.get(key)?.what)
    .map((key) => {
      const { kind, name } = (left.get(key) ?? right.get(key))!;
      return { kind, name, is: left.get(key)?.what, should: right.get(key)?.what };
    });
}
