/** Fits the planner's coefficients to measured merges: least squares of relative errors, none below zero. */

/** One measurement: what each coefficient is multiplied with, and the result. */
export interface Equation {
  factors: Record<string, number>;
  measured: number;
}

/** How {@link fit} weighs. */
export interface FitOptions {
  /** Coefficients that are known to be no less. */
  atLeast?: Record<string, number>;
  /** How much worse it is to predict too little than too much. @default 1 */
  underWeight?: number;
}

/**
 * Coefficients by name, each 0 or more or as `atLeast` says, so that the sum of the squared relative errors is least.
 * By coordinate descent, which for a convex sum under bounds goes to the least one.
 */
export function fit(
  equations: readonly Equation[],
  { atLeast = {}, underWeight = 1 }: FitOptions = {},
): Record<string, number> {
  const names = [...new Set(equations.flatMap(({ factors }) => Object.keys(factors)))];
  const rows = equations.map(({ factors, measured }) =>
    names.map((name) => (factors[name] ?? 0) / measured)
  );
  const found = names.map((name) => atLeast[name] ?? 0);
  const errors = rows.map((row) => row.reduce((sum, one, k) => sum + one * found[k], -1));
  for (let round = 0; round < 50_000; round++) {
    let moved = 0;
    names.forEach((_, k) => {
      let slope = 0, bend = 0;
      rows.forEach((row, i) => {
        const weight = errors[i] < 0 ? underWeight : 1;
        slope += weight * row[k] * errors[i];
        bend += weight * row[k] * row[k];
      });
      if (bend === 0) return;
      const next = Math.max(atLeast[names[k]] ?? 0, found[k] - slope / bend);
      const by = next - found[k];
      if (by === 0) return;
      found[k] = next;
      rows.forEach((row, i) => errors[i] += row[k] * by);
      moved = Math.max(moved, Math.abs(by) * Math.sqrt(bend));
    });
    if (moved < 1e-9) break;
  }
  return Object.fromEntries(names.map((name, k) => [name, found[k]]));
}

/** The prediction of an equation. */
export function predicted(
  { factors }: Equation,
  coefficients: Readonly<Record<string, number>>,
): number {
  return Object.entries(factors).reduce(
    (sum, [name, times]) => sum + coefficients[name] * times,
    0,
  );
}
