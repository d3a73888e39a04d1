/**
 * Leaves below one optional or repeated group must agree on where the group is null, where it is empty and how often it
 * repeats. The levels of every leaf say so, and readers differ in which leaf they believe (Dremel's levels;
 * parquet-format README, Nested Encoding). So each two neighbouring leaves are compared, by a digest of what their levels
 * say of the deepest group that holds both; where all neighbours agree, any two leaves do.
 */
import { fail, SIBLING_DIFFERS } from "./errors";
import { hash64 } from "./intern";
import { chunk } from "./open_chunk";
import { checkRepeats } from "./repeated_levels";

/**
 * A digest of the levels of a chunk so far. Of each entry it takes how far the definition level lies below the group's,
 * and the repetition level: both are 0 where a row has one entry that is there, and such entries cost next to nothing.
 */
@unmanaged
class Digest {
  /** Over whole words of eight entries, so that it does not depend on where pages end. */
  sum: u64;
  entries: u64;
  /** Of the entries behind the last whole word. */
  defs: u64;
  reps: u64;
}

/**
 * What a leaf shares with the leaf before it and the one behind it, and the lists that it is in; TypeScript lays it
 * out.
 */
@unmanaged
export class LeafLevels {
  /** Highest levels of the deepest group that is shared; `def` 0 where no such group is optional or repeated. */
  beforeRep: u32;
  beforeDef: u32;
  behindRep: u32;
  behindDef: u32;
  /** Whether the chunk was read to its end. */
  whole: u32;
  /** Address of the definition levels of the lists' entries (repeated_levels.ts); 0 of a leaf in no list. */
  lists: u32;
  /** Definition level of the entry that was read last. */
  last: u32;
  unused: u32;
  // a Digest each
  before: u64;
  before1: u64;
  before2: u64;
  before3: u64;
  behind: u64;
  behind1: u64;
  behind2: u64;
  behind3: u64;
}

@inline
function digestBefore(leaf: usize): usize {
  return leaf + offsetof<LeafLevels>("before");
}

@inline
function digestBehind(leaf: usize): usize {
  return leaf + offsetof<LeafLevels>("behind");
}

/** Begins the digests of a leaf's chunk. */
export function startLevels(leaf: usize): void {
  changetype<LeafLevels>(leaf).whole = 0;
  changetype<LeafLevels>(leaf).last = 0;
  memory.fill(digestBefore(leaf), 0, 2 * offsetof<Digest>());
}

/** Whether `n` levels of the open chunk nest as its lists do; `repeats` when some go on with a list. */
export function levelsNest(reps: usize, defs: usize, n: u32, repeats: bool): bool {
  const l = changetype<LeafLevels>(chunk.levels);
  if (l.lists == 0 || n == 0) return true;
  const before = l.last;
  l.last = load<u8>(defs + n - 1);
  return !repeats || checkRepeats(reps, defs, n, chunk.maxRep, l.lists, before);
}

/** Adds `n` levels of the open chunk as they are in the source; `uniform` when none is null and nothing repeats. */
export function digestLevels(reps: usize, defs: usize, n: u32, uniform: bool): void {
  const l = changetype<LeafLevels>(chunk.levels);
  const before = digestBefore(chunk.levels);
  const behind = digestBehind(chunk.levels);
  if (l.beforeDef != 0) {
    if (uniform) skip(before, n);
    else digest(before, reps, defs, n, l.beforeRep, l.beforeDef);
  }
  if (l.behindDef == 0) return;
  if (l.behindDef == l.beforeDef && l.behindRep == l.beforeRep) {
    memory.copy(behind, before, offsetof<Digest>());
  } else if (uniform) skip(behind, n);
  else digest(behind, reps, defs, n, l.behindRep, l.behindDef);
}

@inline
const HIGH: u64 = 0x8080808080808080;
@inline
const ONES: u64 = 0x0101010101010101;

@inline
function hashWord(defs: u64, reps: u64, word: u64): u64 {
  return hash64(defs ^ hash64(reps ^ word * 0xd6e8feb86659fd93));
}

/** Adds `n` entries that are 0. */
function skip(digest: usize, n: u32): void {
  const d = changetype<Digest>(digest);
  if ((d.defs | d.reps) != 0 && (<u32> d.entries & 7) + n >= 8) {
    d.sum += hashWord(d.defs, d.reps, d.entries >> 3);
    d.defs = 0;
    d.reps = 0;
  }
  d.entries += n;
}

/** Adds the entries that repeat no deeper than `rep`, with definition levels cut at `def` (levels are below 128). */
function digest(digest: usize, reps: usize, defs: usize, n: u32, rep: u32, def: u32): void {
  const d = changetype<Digest>(digest);
  // entries of lists further down are left out
  const filtered = chunk.maxRep > rep;
  const floor = ONES * def;
  let sum = d.sum;
  let entries = d.entries;
  let defWord = d.defs;
  let repWord = d.reps;
  let i: u32 = 0;
  while (i < n) {
    if (!filtered && (entries & 7) == 0) {
      for (; i + 8 <= n; i += 8) {
        const w = load<u64>(defs + i);
        const there = ((((w | HIGH) - floor) & HIGH) >> 7) * 255;
        const below = (floor - (w & ~there)) & ~there;
        const repeats = reps == 0 ? 0 : load<u64>(reps + i);
        if ((below | repeats) != 0) sum += hashWord(below, repeats, entries >> 3);
        entries += 8;
      }
      if (i == n) break;
    }
    const r: u64 = reps == 0 ? 0 : load<u8>(reps + i);
    const level: u64 = load<u8>(defs + i);
    i++;
    if (r > rep) continue;
    const shift = (entries & 7) << 3;
    defWord |= (def - min<u64>(level, def)) << shift;
    repWord |= r << shift;
    if ((++entries & 7) == 0) {
      if ((defWord | repWord) != 0) sum += hashWord(defWord, repWord, (entries - 1) >> 3);
      defWord = 0;
      repWord = 0;
    }
  }
  d.sum = sum;
  d.entries = entries;
  d.defs = defWord;
  d.reps = repWord;
}

/**
 * Whether neighbours among the `count` leaves whose chunks were read agree; false with the error set, which names
 * the second of two.
 */
export function levelsAgree(leaves: usize, count: u32): bool {
  for (let i: u32 = 1; i < count; i++) {
    const next = leaves + i * offsetof<LeafLevels>();
    const one = next - offsetof<LeafLevels>();
    const n = changetype<LeafLevels>(next);
    if (n.beforeDef == 0 || n.whole == 0 || changetype<LeafLevels>(one).whole == 0) continue;
    if (memory.compare(digestBehind(one), digestBefore(next), offsetof<Digest>()) != 0) {
      return <bool> fail(SIBLING_DIFFERS, i);
    }
  }
  return true;
}
