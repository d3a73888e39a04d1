/** What readers need of the catalog. */

/** Temporary. */
export interface ManifestFile {
  id: number;
  object_key: string;
  start_byte: number;
  byte_length: number;
  table: string;
  period_tag: string;
  size: number;
  level: number;
  state: string;
  row_count: number;
  row_group_count: number;
  uncompressed_bytes: number;
  schema_fingerprint: string;
  stats: unknown;
  etag: string | null;
  uploaded_at: string;
  added_version: number;
}
export interface ReaderCatalog {
  // deno-lint-ignore no-explicit-any
  listFiles(input: any): Promise<
    {
      dataset_id: string;
      version: number;
      committed_at: string;
      files: ManifestFile[];
      next_cursor: string | null;
    }
  >;
  getFile(input: { user: string | null; file: number }): Promise<ManifestFile>;
}
