/**
 * Asked between the steps of work that may be long: a promise where others should go on first, to be waited for before
 * the next step.
 *
 * @param aheadMs what the next step is expected to take
 */
export type Pause = (aheadMs?: number) => Promise<void> | undefined;
