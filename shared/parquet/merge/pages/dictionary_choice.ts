/** What is known of a column's values when a row group must settle on a dictionary or PLAIN. */
export interface ValueCounts {
  /** Values seen. */
  values: number;
  /** Distinct ones. */
  entries: number;
  /** Bytes of the distinct ones as PLAIN. */
  entryBytes: number;
  /** Bytes of all that were seen as PLAIN. */
  plainBytes: number;
  /** About how many values the row group will have. */
  valuesToCome: number;
}

/** A larger dictionary is not begun: readers hold it whole. */
const largestDictionary = 1024 * 1024;

/** See {@link dictionaryPays}. */
export interface DictionaryChoice {
  pays: boolean;
  /** By far not: to be trusted when few values were seen, too. */
  never: boolean;
  /** Almost every value is new, so that the next row group need not look. */
  fewRepeats: boolean;
}

/**
 * Whether a dictionary makes the row group smaller. The distinct values to come are extrapolated as if drawn
 * evenly from a set of unknown size N: n draws show N(1 - e^(-n/N)) of them.
 */
export function dictionaryPays(counts: ValueCounts): DictionaryChoice {
  const { values, entries, entryBytes, plainBytes } = counts;
  if (values === 0) return { pays: false, never: false, fewRepeats: false };
  const expected = expectedEntries(values, entries, counts.valuesToCome);
  const bits = Math.ceil(Math.log2(Math.max(2, expected)));
  const dictionary = expected * (entryBytes / entries);
  const indexed = dictionary + counts.valuesToCome * bits / 8;
  const plain = plainBytes / values * counts.valuesToCome;
  return {
    pays: indexed < plain * 0.9 && dictionary <= largestDictionary,
    never: indexed > plain * 1.2 && entries > values * 0.97,
    fewRepeats: entries > values * 0.9 && values >= 1000,
  };
}

function expectedEntries(seen: number, distinct: number, toCome: number): number {
  if (distinct >= seen) return toCome;
  // the set's size by bisection on its logarithm
  let low = Math.log(distinct), high = Math.log(distinct) + 20;
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    const size = Math.exp(middle);
    if (size * -Math.expm1(-seen / size) < distinct) low = middle;
    else high = middle;
  }
  const size = Math.exp(high);
  return Math.min(toCome, size * -Math.expm1(-toCome / size));
}
