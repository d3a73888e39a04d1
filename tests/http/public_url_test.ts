import { strict as assert } from "node:assert";
import {
  isPublicHttps,
  moveStorageUrl,
  publicBase,
  type PublicUrlSettings,
  storageBase,
} from "../../shared/http/public_url.ts";

const hosted = "https://ref.supabase.co";
const inDocker = "http://kong:8000";

function request(url: string, headers: Record<string, string> = {}): Request {
  return new Request(url, { headers });
}

Deno.test("PUBLIC_URL wins, with /functions/v1 when it has no path", () => {
  const inside = request("http://kong:8000/battle-data/upload", { "x-forwarded-host": "evil" });
  const base = (publicUrl: string) =>
    publicBase(inside, {
      ...{ publicUrl, supabasePublicUrl: "https://other.example.com", supabaseUrl: hosted },
      ...{ edge: true, trustForwarded: true },
    });
  assert.equal(base("https://ref.supabase.co"), "https://ref.supabase.co/functions/v1");
  assert.equal(base("https://x.deno.dev/api/"), "https://x.deno.dev/api");
});

Deno.test("a hosted isolate's forwarded headers never get into a URL", () => {
  const call = request("http://edge-runtime.supabase.com/battle-data/upload", {
    "x-forwarded-host": "edge-runtime.supabase.com",
    "x-forwarded-proto": "https",
    "x-forwarded-port": "443",
  });
  for (const trustForwarded of [undefined, true, false]) {
    const settings = { supabaseUrl: hosted, edge: true, trustForwarded };
    assert.equal(publicBase(call, settings), `${hosted}/functions/v1`);
    assert.equal(storageBase(call, settings), `${hosted}/storage/v1`);
  }
});

Deno.test("each base takes the first setting that is there", () => {
  const call = request("http://10.0.0.7:9000/battle-data");
  const steps: [Partial<PublicUrlSettings>, string, string][] = [
    [{}, "http://10.0.0.7:9000", "http://10.0.0.7:9000/storage/v1"],
    // Elsewhere than in an isolate the functions are not where Supabase is.
    [{ supabaseUrl: hosted }, "http://10.0.0.7:9000", `${hosted}/storage/v1`],
    [{ edge: true }, `${hosted}/functions/v1`, `${hosted}/storage/v1`],
    [
      { supabasePublicUrl: "https://own.example.com/sb/" },
      "https://own.example.com/sb/functions/v1",
      "https://own.example.com/sb/storage/v1",
    ],
    [
      { publicUrl: "https://x.deno.dev" },
      "https://x.deno.dev/functions/v1",
      "https://own.example.com/sb/storage/v1",
    ],
    [
      { storagePublicUrl: "https://files.example.com" },
      "https://x.deno.dev/functions/v1",
      "https://files.example.com/storage/v1",
    ],
    [
      { storagePublicUrl: "https://files.example.com/s/" },
      "https://x.deno.dev/functions/v1",
      "https://files.example.com/s",
    ],
  ];
  let settings: PublicUrlSettings = {};
  for (const [added, functions, storage] of steps) {
    settings = { ...settings, ...added };
    assert.equal(publicBase(call, settings), functions, JSON.stringify(settings));
    assert.equal(storageBase(call, settings), storage, JSON.stringify(settings));
  }
});

Deno.test("forwarded headers count where they are trusted, and by themselves in an isolate inside Docker", () => {
  const call = request("http://edge:9999/battle-data/upload", {
    "x-forwarded-host": "app.example.com",
    "x-forwarded-proto": "https",
  });
  const base = (settings: PublicUrlSettings) =>
    publicBase(call, { supabaseUrl: inDocker, ...settings });
  assert.equal(base({ trustForwarded: true }), "https://app.example.com/functions/v1");
  assert.equal(base({}), "http://edge:9999");
  assert.equal(base({ edge: true }), "https://app.example.com/functions/v1");
  assert.equal(base({ edge: true, trustForwarded: false }), "http://edge:9999");
});

Deno.test("the local gateway's port is kept, and Storage is behind the same gateway", () => {
  const call = request("http://edge:9999/battle-data", {
    "x-forwarded-host": "127.0.0.1",
    "x-forwarded-port": "54321",
    "x-forwarded-proto": "http",
  });
  const settings = { supabaseUrl: inDocker, edge: true };
  assert.equal(publicBase(call, settings), "http://127.0.0.1:54321/functions/v1");
  assert.equal(storageBase(call, settings), "http://127.0.0.1:54321/storage/v1");
});

Deno.test("a forwarded host that is no host is not repeated", () => {
  const headers = { "x-forwarded-host": "a/b?c=@d", "x-forwarded-proto": "javascript" };
  assert.equal(
    publicBase(request("http://edge/battle-data", headers), { trustForwarded: true }),
    "https://edge/functions/v1",
  );
});

Deno.test("without a gateway the request's own address is the public one", () => {
  const base = (url: string) => publicBase(request(url), { edge: true, supabaseUrl: inDocker });
  assert.equal(
    base("http://127.0.0.1:8000/functions/v1/battle-data"),
    "http://127.0.0.1:8000/functions/v1",
  );
  assert.equal(base("http://127.0.0.1:8000/battle-data"), "http://127.0.0.1:8000");
});

Deno.test("a host that only a network of one's own knows is not public", () => {
  for (const url of [hosted, "https://supabase.example.com:8443", "https://8.8.8.8"]) {
    assert.equal(isPublicHttps(url), true, url);
  }
  for (
    const url of [
      ...["http://ref.supabase.co", "https://kong:8443", "https://localhost", "https://127.0.0.1"],
      ...["https://10.1.2.3", "https://[::1]", "https://db.internal", "https://mac.local"],
      ...["https://my.lan", "https://nas.home", "https://db.corp."],
    ]
  ) assert.equal(isPublicHttps(url), false, url);
});

Deno.test("a Storage URL is moved to Storage's public base, another one is left alone", () => {
  const move = (url: string) => moveStorageUrl(url, inDocker, "https://x.co/storage/v1");
  assert.equal(
    move("http://kong:8000/storage/v1/a?token=t"),
    "https://x.co/storage/v1/a?token=t",
  );
  assert.equal(move("http://kong:80001/storage/v1/a"), "http://kong:80001/storage/v1/a");
  assert.equal(move("https://r2.example/a"), "https://r2.example/a");
  for (const written of ["https://Ref.Supabase.co", "https://ref.supabase.co:443/"]) {
    const moved = moveStorageUrl(`${hosted}/storage/v1/a`, written, "https://x.co/storage/v1");
    assert.equal(moved, "https://x.co/storage/v1/a", written);
  }
});
