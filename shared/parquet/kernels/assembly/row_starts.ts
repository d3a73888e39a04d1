/** Where the rows of a column that is being permuted begin: gather.ts and lend_entries.ts go by it. */
import { Column } from "./column";
import { reserve } from "./memory";

/** Where each row's levels and values begin. */
export let levelStarts: usize = 0;
let valueStarts: usize = 0;
/** Whether each row has just one value, so that its number is the value's. */
export let oneEach: bool = false;

/** The first of a row's values. */
@inline
export function startOfValue(row: u32): u32 {
  return oneEach ? row : load<u32>(valueStarts + (<usize> row << 2));
}

/** The one behind the last of a row's values. */
@inline
export function startsBehind(row: u32): u32 {
  return oneEach ? row + 1 : load<u32>(valueStarts + (<usize> row << 2), 4);
}

/** The first of a row's values, and in the upper half the one behind its last. */
@inline
export function valuesOfRow(row: u32): u64 {
  return load<u64>(valueStarts + (<usize> row << 2));
}

/** Notes where each row's levels and values begin. False when memory is over. */
export function noteRowStarts(c: Column): bool {
  const rows = c.rows;
  oneEach = c.maxRep == 0 && c.present == rows;
  return oneEach || noteValueStarts(c, rows);
}

function noteValueStarts(c: Column, rows: u32): bool {
  let grown = reserve(valueStarts, 0, (rows << 2) + 16);
  if (grown == 0) return false;
  valueStarts = grown;
  let value: u32 = 0;
  if (c.maxRep == 0) {
    for (let row: u32 = 0; row < rows; row++) {
      store<u32>(valueStarts + (<usize> row << 2), value);
      value += u32(load<u8>(c.defs + row) == c.maxDef);
    }
    store<u32>(valueStarts + (<usize> rows << 2), value);
    return true;
  }
  grown = reserve(levelStarts, 0, (rows << 2) + 16);
  if (grown == 0) return false;
  levelStarts = grown;
  let row: u32 = 0;
  for (let i: u32 = 0; i < c.count; i++) {
    if (load<u8>(c.reps + i) == 0) {
      store<u32>(levelStarts + (<usize> row << 2), i);
      store<u32>(valueStarts + (<usize> row << 2), value);
      row++;
    }
    value += u32(load<u8>(c.defs + i) == c.maxDef);
  }
  store<u32>(valueStarts + (<usize> row << 2), value);
  store<u32>(levelStarts + (<usize> row << 2), c.count);
  return true;
}
