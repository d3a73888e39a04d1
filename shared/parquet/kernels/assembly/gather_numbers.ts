/** Numbers of one width by the permutation: values, or indices of a dictionary. */
import { Column } from "./column";
import { oneEach, startOfValue, startsBehind, valuesOfRow } from "./row_starts";

/**
 * Writes the numbers at `from` that the `n` rows at `rows` have to `to`, where there is room for as many as they are, and for
 * `n` of a column without lists. Gives their end.
 */
export function gatherNumbers<T>(c: Column, from: usize, rows: usize, n: u32, to: usize): usize {
  const size = sizeof<T>();
  if (oneEach) {
    for (let i: u32 = 0; i < n; i++) {
      store<T>(to, load<T>(from + <usize> load<u32>(rows + (<usize> i << 2)) * size));
      to += size;
    }
  } else if (c.maxRep == 0) {
    // which rows are null is hard to foresee: the number behind a null is written too, and written over
    for (let i: u32 = 0; i < n; i++) {
      const values = valuesOfRow(load<u32>(rows + (<usize> i << 2)));
      const first = <u32> values;
      store<T>(to, load<T>(from + <usize> first * size));
      to += <usize> (<u32> (values >> 32) - first) * size;
    }
  } else {
    for (let i: u32 = 0; i < n; i++) {
      const row = load<u32>(rows + (<usize> i << 2));
      const last = startsBehind(row);
      for (let k = startOfValue(row); k < last; k++) {
        store<T>(to, load<T>(from + <usize> k * size));
        to += size;
      }
    }
  }
  return to;
}
