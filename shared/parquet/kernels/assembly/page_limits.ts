/** What a page may declare; set once. */

export let maxPageBytes: u32 = 0;
export let maxPageValues: u32 = 0;

export function setPageLimits(bytes: u32, values: u32): void {
  maxPageBytes = bytes;
  maxPageValues = values;
}
