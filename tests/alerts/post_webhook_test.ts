import { strict as assert } from "node:assert";
import { postWebhook } from "../../shared/alerts/post_webhook.ts";
import { isPrivateAddress } from "../../shared/alerts/private_address.ts";
import { SedimentError } from "../../shared/errors.ts";
import { quietPort } from "../support/quiet_port.ts";

type Handler = (request: Request) => Response | Promise<Response>;

async function posted(
  handler: Handler,
  some: { path?: string; timeoutMs?: number } = {},
): Promise<{ error: SedimentError | null; requests: string[] }> {
  const requests: string[] = [];
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    requests.push(new URL(request.url).pathname);
    return handler(request);
  });
  const url = `http://127.0.0.1:${server.addr.port}${some.path ?? "/hook"}`;
  try {
    await postWebhook(url, { a: 1 }, {
      privateAddresses: true,
      timeoutMs: some.timeoutMs ?? 60_000,
    });
    return { error: null, requests };
  } catch (thrown) {
    assert.ok(thrown instanceof SedimentError, String(thrown));
    return { error: thrown, requests };
  }
}

Deno.test("a 2xx answer that is no HTML is taken, with or without a body", async () => {
  let body: unknown;
  const handler: Handler = async (request) => {
    body = await request.json();
    return new Response("ok");
  };
  assert.equal((await posted(handler)).error, null);
  assert.deepEqual(body, { a: 1 });
  assert.equal((await posted(() => new Response(null, { status: 204 }))).error, null);
});

Deno.test("a redirect is a failure and is not followed", async () => {
  for (const status of [301, 302, 307, 308]) {
    const { error, requests } = await posted(() =>
      new Response(null, { status, headers: { location: "/elsewhere" } })
    );
    assert.equal(error?.code, "unexpected_answer");
    assert.deepEqual(requests, ["/hook"]);
  }
});

Deno.test("a page of HTML is a failure, whatever its status and type say", async () => {
  const page = "<!DOCTYPE html><html>Sign in</html>";
  const html = await posted(() => new Response(page, { headers: { "content-type": "text/html" } }));
  const plain = await posted(() => new Response(page));
  assert.equal(html.error?.code, "unexpected_answer");
  assert.equal(plain.error?.code, "unexpected_answer");
});

Deno.test("the plain ok of Slack, which calls itself HTML, is taken", async () => {
  const answer = () => new Response("ok", { headers: { "content-type": "text/html" } });
  assert.equal((await posted(answer)).error, null);
});

Deno.test("a page of HTML is known behind a byte order mark, a comment or white space", async () => {
  for (const start of ["\ufeff<html>", "<!-- proxy -->\n<html>", "\n\n <HTML>", "<head><title>"]) {
    const { error } = await posted(() => new Response(start));
    assert.equal(error?.code, "unexpected_answer", start);
  }
});

Deno.test("no error of a webhook holds its path or its password, which are secrets", async () => {
  const port = quietPort();
  for (
    const url of [
      `http://127.0.0.1:${port}/T0/SECRET?k=SECRET`,
      `http://u:SECRET@127.0.0.1:${port}/`,
    ]
  ) {
    await assert.rejects(postWebhook(url, {}, { privateAddresses: true }), (thrown: Error) => {
      assert.doesNotMatch(thrown.message, /SECRET/);
      assert.ok(thrown.message.includes(`127.0.0.1:${port}`));
      return true;
    });
  }
});

Deno.test("an error status is a failure that names it", async () => {
  const { error } = await posted(() => new Response("no", { status: 500 }));
  assert.equal(error?.code, "unexpected_answer");
  assert.match(error.message, /answered 500/);
});

Deno.test("a server that hangs before or in the middle of its answer is a failure", async () => {
  const silent = posted(async ({ signal }) => {
    await new Promise((hungUp) => signal.addEventListener("abort", hungUp));
    return new Response("late");
  }, { timeoutMs: 300 });
  const half = posted(
    () =>
      new Response(
        new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array([32])) }),
      ),
    { timeoutMs: 300 },
  );
  for (const { error } of await Promise.all([silent, half])) {
    assert.equal(error?.code, "answer_timeout");
  }
});

Deno.test("an endless answer is cut short", async () => {
  const { error } = await posted(() =>
    new Response(
      new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(4096)) }),
    )
  );
  assert.equal(error, null);
});

Deno.test("an address inside is refused before anything is sent, however it is written", async () => {
  let asked = 0;
  const refused = async (url: string, addresses: string[] = []) => {
    await assert.rejects(
      postWebhook(url, {}, {
        privateAddresses: false,
        resolve: () => Promise.resolve(addresses),
        fetch: () => {
          asked++;
          return Promise.resolve(new Response("ok"));
        },
      }),
      { code: "forbidden" },
      url,
    );
  };
  for (
    const host of ["127.0.0.1", "[::1]", "169.254.169.254", "[fe80::1]", "2130706433", "0x7f.1"]
  ) {
    await refused(`https://${host}/`);
  }
  await refused("https://[::ffff:169.254.169.254]/");
  await refused("https://rebound.example/", ["93.184.216.34", "127.0.0.1"]);
  await refused("https://nowhere.example/", []);
  await refused("http://public.example/", ["93.184.216.34"]);
  assert.equal(asked, 0);
  await postWebhook("https://public.example/", {}, {
    privateAddresses: false,
    resolve: () => Promise.resolve(["93.184.216.34", "2606:2800:220:1::1"]),
    fetch: () => Promise.resolve(new Response("ok")),
  });
});

Deno.test("a resolver that hangs is a timeout", async () => {
  await assert.rejects(
    postWebhook("https://slow.example/", {}, {
      privateAddresses: false,
      timeoutMs: 50,
      resolve: () => new Promise(() => {}),
    }),
    { code: "answer_timeout" },
  );
});

Deno.test("private and public addresses are told apart at the edges of their networks", () => {
  const inside = [
    "0.1.2.3",
    "10.255.255.255",
    "100.64.0.1",
    "172.16.0.0",
    "172.31.255.255",
    "192.168.1.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "fc00::1",
    "fe80::1%eth0",
    "ff02::1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "2001::7f00:1", // Teredo
    "2001:db8::1",
    "3fff::1",
    "64:ff9b:1::a00:1",
    "192.0.2.1",
    "192.88.99.1",
    "198.51.100.7",
    "203.0.113.9",
    "not an address",
  ];
  const outside = [
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "::ffff:8.8.8.8",
    "2606:2800:220:1::1",
    "2001:4860:4860::8888",
  ];
  assert.deepEqual(inside.filter((address) => !isPrivateAddress(address)), []);
  assert.deepEqual(outside.filter(isPrivateAddress), []);
});
