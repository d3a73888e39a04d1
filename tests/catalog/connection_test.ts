import { strict as assert } from "node:assert";
import { openConnection } from "../../shared/catalog/connection.ts";
import type { SedimentError } from "../../shared/errors.ts";
import { thrownBy } from "../support/thrown_by.ts";

/** A server that answers the login, or lets everybody in and answers the first call, with last words, then goes. */
function startServer(at: "login" | "call", lastWords: Uint8Array<ArrayBuffer>) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serve = async (client: Deno.Conn) => {
    const buffer = new Uint8Array(65_536);
    try {
      await client.read(buffer);
      if (at === "call") {
        await client.write(new Uint8Array([...message("R", "\0\0\0\0"), ...message("Z", "I")]));
        await client.read(buffer);
      }
      await client.write(lastWords);
    } catch {
      // It went first.
    }
    client.close();
  };
  const serving = (async () => {
    const all: Promise<void>[] = [];
    for await (const client of listener) all.push(serve(client));
    await Promise.all(all);
  })();
  return {
    url: `postgresql://user:secret@127.0.0.1:${listener.addr.port}/database`,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
    },
  };
}

/** https://www.postgresql.org/docs/current/protocol-message-formats.html */
function message(type: string, body: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(`${type}\0\0\0\0${body}`);
  new DataView(bytes.buffer).setUint32(1, bytes.length - 1);
  return bytes;
}

const errorOf = (severity: string, code: string, text: string) =>
  message("E", `S${severity}\0V${severity}\0C${code}\0M${text}\0\0`);

async function failureAt(url: string): Promise<SedimentError> {
  let over = 0;
  const connection = openConnection({ url, answerSeconds: 5, onOver: () => over++ });
  const thrown = await thrownBy(connection.call("tick", {}));
  assert.equal(over, 1);
  assert.ok(connection.over);
  await connection.end();
  return thrown;
}

Deno.test("a server that goes away in the middle of calls ends them, and nothing else", async () => {
  await using server = startServer("call", errorOf("FATAL", "57P01", "terminating connection"));
  await using silent = startServer("call", new Uint8Array());
  for (let n = 0; n < 40; n++) {
    assert.equal((await failureAt(server.url)).code, "catalog_failed");
    assert.equal((await failureAt(silent.url)).code, "catalog_failed");
  }
});

Deno.test("what a server or a pooler refuses for good is misconfigured, and else it is catalog_failed", async () => {
  const told: [code: string, text: string, expected: string][] = [
    ["28P01", "password authentication failed", "misconfigured"],
    ["28000", "no pg_hba.conf entry", "misconfigured"],
    ["3D000", "no such database", "misconfigured"],
    ["42704", "unrecognized configuration parameter", "misconfigured"],
    ["22023", "invalid value for parameter", "misconfigured"],
    ["08P01", "unsupported startup parameter: role", "misconfigured"],
    ["08P01", "SASL authentication failed", "misconfigured"],
    ["08P01", "query_wait_timeout", "catalog_failed"],
    ["53300", "too many connections", "catalog_failed"],
    ["57P03", "the database system is starting up", "catalog_failed"],
    ["XX000", "out of something", "catalog_failed"],
  ];
  for (const [code, text, expected] of told) {
    await using server = startServer("login", errorOf("FATAL", code, text));
    assert.equal((await failureAt(server.url)).code, expected, `${code} ${text}`);
  }
});

Deno.test("what is said of a URL that can't be used does not quote its password", async () => {
  const url = "postgresql://user:%E0%A4%A@127.0.0.1:1/database";
  const connection = openConnection({ url, answerSeconds: 5, onOver: () => {} });
  const error = await thrownBy(connection.call("tick", {}));
  assert.equal(error.code, "misconfigured");
  assert.ok(!error.message.includes("%E0"), error.message);
});

Deno.test("the driver finds the globals that it wants, also where Deno does not give them", async () => {
  const server = startServer("call", new Uint8Array());
  await failureAt(server.url);
  await server[Symbol.asyncDispose]();
  const { Buffer, process, setImmediate, clearImmediate } = globalThis as Record<string, unknown>;
  for (const found of [Buffer, process, setImmediate, clearImmediate]) assert.ok(found);
});

Deno.test("a connection goes on after what the function raised, and after nothing else", async () => {
  const told: [code: string, over: boolean][] = [
    ["SD404", false],
    ["22P02", false],
    ["23505", false],
    ["55P03", false],
    ["57014", true],
    ["53200", true],
    ["XX000", true],
    ["26000", true],
  ];
  for (const [code, over] of told) {
    await using server = startServer(
      "call",
      new Uint8Array([...errorOf("ERROR", code, "not_found"), ...message("Z", "I")]),
    );
    const connection = openConnection({ url: server.url, answerSeconds: 5, onOver: () => {} });
    await thrownBy(connection.call("tick", {}));
    assert.equal(connection.over, over, code);
    await connection.end();
  }
});
