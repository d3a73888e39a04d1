/** The commands of docs/deploy.md, read from it and run as they stand, from nothing to the first compacted upload. */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { hasCurl } from "../support/has_curl.ts";
import { findSupabaseCli } from "../../supabase/local/parts/supabase_cli.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";
import { startDeployment } from "./deployment.ts";
import { createManagementApi } from "./management_api.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The blocks below a heading of the document, in order. */
async function blocksBelow(heading: string): Promise<{ kind: string; text: string }[]> {
  const document = await Deno.readTextFile(join(root, "docs/deploy.md"));
  const [, section] = new RegExp(`\n## ${heading}\n([^]*?)\n## `).exec(document) ?? [];
  assert.ok(section, `docs/deploy.md has no section "${heading}"`);
  return [...section.matchAll(/```(sh|sql)\n([^]*?)```/g)]
    .map(([, kind, text]) => ({ kind, text }));
}

Deno.test("the commands of docs/deploy.md lead from nothing to the first compacted upload", async () => {
  if (!await hasCurl()) return console.log("skipped: there is no curl on this machine");
  await using project = await startDeployment({ migrations: false, tickSeconds: 0.5 });
  const { stack, url } = project;
  const folder = await Deno.makeTempDir({ prefix: "sediment-install-" });
  const sql = postgres(stack.dbUrl, { max: 1, onnotice: () => {} });
  try {
    // The stack has filled Vault in; a new project's is empty.
    await sql`delete from vault.secrets`;
    project.management = createManagementApi(folder, (modules) => project.deploy(modules));
    for (const n of [1, 2]) {
      await Deno.writeFile(join(folder, `part${n}.parquet`), tinyParquet([n, n, n]));
    }
    await Deno.writeTextFile(
      join(folder, "profile.yaml"),
      `name: stand-in\napi_url: ${url}\ndashboard_url: ${url}\nproject_host: example.com\n`,
    );
    // What an operator fills in.
    const values: Record<string, string> = {
      SUPABASE_URL: url,
      SUPABASE_SECRET_KEY: stack.secretKey,
      SUPABASE_ACCESS_TOKEN: `sbp_${"0".repeat(40)}`,
      DATABASE_URL: `${stack.dbUrl}?sslmode=disable`,
      PUBLISHABLE_KEY: stack.publishableKey,
    };
    const fill = (text: string) =>
      text
        .replace(/^((?:export )?)(\w+)=.*$/gm, (line, exported, name) =>
          name in values ? `${exported}${name}='${values[name]}'` : line)
        .replaceAll("https://REF.supabase.co", url)
        .replaceAll("'sb_secret_…'", `'${stack.cronKey}'`);
    const blocks = await blocksBelow("Supabase");
    assert.deepEqual(blocks.map(({ kind }) => kind).join(" "), "sh sh sh sh sh sql sh sh");

    // The shell is one, so that what is exported stays; where SQL comes it waits for a line.
    const script = blocks.map(({ kind, text }) =>
      kind === "sql" ? "echo @sql; read -r _" : fill(text)
    ).join("\n");
    const child = new Deno.Command("bash", {
      args: ["-euo", "pipefail", "-c", `${npx}\n${script}`],
      cwd: root,
      env: {
        DENO: Deno.execPath(),
        CLI: await findSupabaseCli(),
        FILES: folder,
        SUPABASE_PROFILE: join(folder, "profile.yaml"),
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const complained = new Response(child.stderr).text();
    const writer = child.stdin.getWriter();
    let said = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (!text.includes("@sql")) continue;
      await sql.unsafe(fill(blocks.find(({ kind }) => kind === "sql")!.text));
      await writer.write(new TextEncoder().encode("\n"));
    }
    await writer.close();
    const { success } = await child.status;
    assert.ok(success, said + await complained);

    // Of the versions of all five functions this checkout's is told, so these are the bundles.
    assert.match(said, /^ok +versions +all are of this checkout/m, said);
    assert.match(said, /^\d+ ok, 0 wrong/m, said);
    const latest = JSON.parse(said.slice(said.lastIndexOf('{"dataset_id"')));
    const [file, ...others] = latest.files;
    assert.deepEqual(others, []);
    assert.deepEqual([file.table, file.level, file.row_count], ["battles", 1, 6]);
    const bytes = new Uint8Array(await (await fetch(file.url)).arrayBuffer());
    assert.equal(new TextDecoder().decode(bytes.subarray(0, 4)), "PAR1");
  } finally {
    await sql.end();
    await Deno.remove(folder, { recursive: true });
  }
});

/** The programs that npx would fetch are here already, and the packages are installed. Files are in a folder. */
const npx = `
npx() {
  case "$2 $3" in
    "deno@2.9.6 install") ;;
    "deno@2.9.6 task") "$DENO" "\${@:3}" ;;
    "supabase@2.117.0 db") "$CLI" "\${@:3}" --workdir "$PWD" ;;
    *) echo "not a command that is known: npx $*" >&2; return 1 ;;
  esac
}
curl() { (cd "$FILES" && command curl "$@"); }
`;
