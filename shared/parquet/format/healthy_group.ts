/** Bytes of a mebibyte. */
export const MiB = 1024 * 1024;

/** Compressed bytes from which on a row group scans well, and is copied when nothing in it changes. */
export const healthyGroupBytes = 2 * MiB;
