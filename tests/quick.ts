/**
 * `deno task test:quick`: what needs no stack, no server of its own and no long look, without types (`deno task check`
 * has them): under a minute on two cores. More arguments go to `deno test`.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** They start PostgreSQL, a stack, a browser, S3 or processes of ours. */
const servers = [
  "avro/hostile_test.ts",
  "ci",
  "conformance",
  "database",
  "demo",
  "deploy/dry_start_test.ts",
  "deploy/install_test.ts",
  "deploy/urls_test.ts",
  "deploy/wasm_health_test.ts",
  "doctor",
  "e2e",
  "keys/crash_points_test.ts",
  "local",
  "packages",
  "reader/bundle_test.ts",
  "reader/stack_test.ts",
  "simulation",
  "storage/object_list_test.ts",
  "storage/object_rows_test.ts",
  "storage/policies_test.ts",
  "storage/stand_in_crash_test.ts",
  "storage/stand_in_fuzz_test.ts",
  "storage/stand_in_test.ts",
  "uploader/browser_test.ts",
  "uploader/cli_account_test.ts",
  "uploader/cli_folders_test.ts",
  "uploader/cli_login_test.ts",
  "uploader/cli_places_test.ts",
  "uploader/cli_pull_test.ts",
  "uploader/cli_push_test.ts",
  "uploader/cli_session_test.ts",
  "uploader/cli_test.ts",
  "uploader/cli_watch_test.ts",
  "uploader/console_session_test.ts",
  "uploader/delete_test.ts",
  "uploader/members_test.ts",
  "uploader/node_test.ts",
  "uploader/stack_test.ts",
  "uploads/hostile_files_test.ts",
];

/** They look at many files, or at large ones. */
const long = [
  "avro/random_files_test.ts",
  "compaction/streamed_merge_test.ts",
  "compaction/write_amplification_test.ts",
  "functions/mutations_test.ts",
  "parquet/core/contradicting_levels_test.ts",
  "parquet/core/cross_reading_test.ts",
  "parquet/core/differential_test.ts",
  "parquet/core/fixtures_core_test.ts",
  "parquet/core/kernels_build_test.ts",
  "parquet/core/known_footers_test.ts",
  "parquet/core/large_file_test.ts",
  "parquet/core/mutation_test.ts",
  "parquet/core/neighbours_test.ts",
  "parquet/core/repeated_levels_test.ts",
  "parquet/core/sliced_group_test.ts",
  "parquet/core/tight_memory_test.ts",
  "parquet/decode",
  "parquet/fuzz_test.ts",
  "parquet/merge_fixtures_test.ts",
  "parquet/merge_test.ts",
  "parquet/union/null_type_test.ts",
  "parquet/union/union_merge_test.ts",
  "reader/fixtures_test.ts",
  "reader/random_test.ts",
  "reader/types_test.ts",
  "storage/s3_upload_test.ts",
];

const tests = fileURLToPath(new URL(".", import.meta.url));
const left = [...servers, ...long].map((path) => `${tests}${path}`);
const gone = left.filter((path) => !existsSync(path));
if (gone.length > 0) {
  console.error(`tests/quick.ts leaves out what isn't there: ${gone.join(", ")}`);
  Deno.exit(1);
}
const { code } = await new Deno.Command(Deno.execPath(), {
  args: [
    "test",
    "-A",
    "--no-check",
    "--quiet",
    "--parallel",
    `--ignore=${left.join()}`,
    ...Deno.args,
    tests,
  ],
  stdout: "inherit",
  stderr: "inherit",
}).output();
Deno.exit(code);
