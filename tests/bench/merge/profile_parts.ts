/** Parts of a merge, by the files of the kernels' sources (as names of their functions begin) and by functions. */
const kernelParts: Record<string, string> = {
  "snappy/snappyDecode": "decompress",
  "inflate": "decompress",
  "lz4": "decompress",
  "snappy": "compress",
  "decode_hybrid/decodeLevels": "levels",
  "encode_hybrid/encodeLevels": "levels",
  "level_stream": "levels",
  "missing_leaf": "levels",
  "repeated_levels": "levels",
  "siblings": "levels",
  "tail": "levels",
  "intern": "interning",
  "column_mode": "interning",
  "order": "statistics",
  "value_bounds": "statistics",
  "watched_bounds": "statistics",
  "text": "statistics",
  "bloom_filter": "statistics",
  "footer_scan": "footers",
  "thrift": "footers",
  "page_header": "footers",
  "sort": "sorting",
  "sort_keys": "sorting",
  "gather": "sorting",
  "lend_entries": "sorting",
  "last_writers": "sorting",
  "pack_rows": "sorting",
  "encode_hybrid": "encode",
  "page": "encode",
  "pending": "encode",
};

/** Of functions that are not the kernels'. */
const hostParts: [RegExp, string][] = [
  [/^\(garbage collector\)/, "garbage collection"],
  [/crc32/, "CRC"],
  [/inflate|gunzip|zstd|decompress|compress/i, "host codecs"],
  [/^op_(read|fs_open|close|write)|file_reader\.ts|read_ahead\.ts/, "files"],
  [/\/format\/|\/inspect\//, "footers"],
  [/\/write\//, "page headers, indexes and output"],
];

/** The part that a function's own time belongs to; undefined where the thread did nothing of ours. */
export function partOf(name: string, url: string): string | undefined {
  if (/^\((idle|program|root)\)/.test(name) || /inspector/.test(url)) return undefined;
  if (url.startsWith("wasm")) {
    const [file] = name.split("/");
    return kernelParts[name] ?? kernelParts[file] ?? "values";
  }
  const text = `${name} ${url}`;
  return hostParts.find(([pattern]) => pattern.test(text))?.[1] ?? "JavaScript besides";
}
