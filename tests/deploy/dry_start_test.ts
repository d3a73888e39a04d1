import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Deno Deploy runs a current Deno; 2.1 is the oldest whose API the functions keep to. */
const starts: { name: string; program: string; args: string[]; main: string }[] = [
  { name: "this Deno", program: Deno.execPath(), args: [], main: "functions/main.ts" },
  {
    name: "Deno 2.1",
    program: "npx",
    args: ["-y", "deno@2.1.14"],
    main: "tests/deploy/serve_main.ts",
  },
];

for (const { name, program, args, main } of starts) {
  Deno.test(`the functions start and answer with net and env allowed and nothing else, on ${name}`, async () => {
    const child = new Deno.Command(program, {
      args: [
        ...args,
        ...["run", "--no-prompt", "--no-lock", "--no-check", "--node-modules-dir=manual"],
        ...["--allow-net", "--allow-env", main],
      ],
      cwd: root,
      env: {
        // Deno.serve listens where Deno Deploy says.
        DENO_SERVE_ADDRESS: "tcp:127.0.0.1:0",
        NO_COLOR: "1",
        SUPABASE_URL: "https://ref.supabase.co",
        SUPABASE_SECRET_KEYS: '{"default":"sb_secret_dry_start"}',
        SUPABASE_PUBLISHABLE_KEYS: '{"default":"sb_publishable_dry_start"}',
        PUBLIC_URL: "https://sediment.deno.dev",
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const said = { text: "" };
    const port = Promise.withResolvers<number>();
    const read = async (stream: ReadableStream<Uint8Array>) => {
      for await (const part of stream.pipeThrough(new TextDecoderStream() as never)) {
        said.text += part;
        const found = /^(?:Listening on http:\/\/127\.0\.0\.1:)?(\d+)\/?/m.exec(said.text);
        if (found !== null) port.resolve(Number(found[1]));
      }
    };
    const ended = Promise.all([read(child.stdout), read(child.stderr)])
      .then(() => port.reject(new Error(`it ended: ${said.text}`)));
    try {
      const url = `http://127.0.0.1:${await port.promise}`;
      const document = await fetch(`${url}/battle-data/openapi.json`);
      assert.equal((await document.json()).openapi, "3.1.0");
      const refused = await fetch(`${url}/functions/v1/battle-data/latest?dataset_id=x`);
      assert.equal((await refused.json()).code, "unauthenticated");
    } finally {
      // What npx started would outlive a signal, main.ts outlives its stdin.
      await child.stdin.close();
      if (args.length === 0) child.kill("SIGTERM");
      await child.status;
      await ended;
    }
  });
}
