/**
 * Which planner this is. A partition that a run left without debt is looked at again, a few a minute, when a newer one
 * comes: raise it with each change after which files that were left alone may be merged.
 */
export const plannerVersion = 6;
