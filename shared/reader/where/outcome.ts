/** SQL's three truth values, ordered so that AND is the least, OR the greatest, and NOT counts from the other end. */
export const isFalse = 0, isUnknown = 1, isTrue = 2;

/** A set of truth values that rows may have, as bits. */
export type Outcomes = number;

/** The set of one. */
export const only = (outcome: number): Outcomes => 1 << outcome;

/** All three. */
export const any: Outcomes = 7;

/** Of AND over what two sets hold. */
export function both(a: Outcomes, b: Outcomes): Outcomes {
  return combined(a, b, Math.min);
}

/** Of OR. */
export function either(a: Outcomes, b: Outcomes): Outcomes {
  return combined(a, b, Math.max);
}

/** Of NOT. */
export function opposite(a: Outcomes): Outcomes {
  return (a & only(isUnknown)) | ((a & only(isFalse)) << 2) | ((a & only(isTrue)) >> 2);
}

/** Whether a row may be given. */
export function mayBeTrue(a: Outcomes): boolean {
  return (a & only(isTrue)) !== 0;
}

function combined(a: Outcomes, b: Outcomes, of: (x: number, y: number) => number): Outcomes {
  let result = 0;
  for (let x = 0; x < 3; x++) {
    if ((a & only(x)) === 0) continue;
    for (let y = 0; y < 3; y++) if ((b & only(y)) !== 0) result |= only(of(x, y));
  }
  return result;
}
