import { strict as assert } from "node:assert";
import { publicBase, publishUrl } from "../../shared/http/public_url.ts";

function request(url: string, headers: Record<string, string> = {}): Request {
  return new Request(url, { headers });
}

Deno.test("PUBLIC_URL wins, with /functions/v1 when it has no path", () => {
  const inside = request("http://kong:8000/battle-data/upload", { "x-forwarded-host": "evil" });
  const base = (publicUrl: string) => publicBase(inside, { publicUrl, trustForwarded: true });
  assert.equal(base("https://ref.supabase.co"), "https://ref.supabase.co/functions/v1");
  assert.equal(base("https://x.deno.dev/api/"), "https://x.deno.dev/api");
});

Deno.test("forwarded headers count only when they are trusted", () => {
  const headers = { "x-forwarded-host": "ref.supabase.co", "x-forwarded-proto": "https" };
  const url = "http://edge:9999/battle-data/upload";
  assert.equal(
    publicBase(request(url, headers), { trustForwarded: true }),
    "https://ref.supabase.co/functions/v1",
  );
  assert.equal(publicBase(request(url, headers), { trustForwarded: false }), "http://edge:9999");
});

Deno.test("the local gateway's port is kept", () => {
  const headers = {
    "x-forwarded-host": "127.0.0.1",
    "x-forwarded-port": "54321",
    "x-forwarded-proto": "http",
  };
  assert.equal(
    publicBase(request("http://edge:9999/battle-data", headers), { trustForwarded: true }),
    "http://127.0.0.1:54321/functions/v1",
  );
});

Deno.test("a forwarded host that is no host is not repeated", () => {
  const headers = { "x-forwarded-host": "a/b?c=@d", "x-forwarded-proto": "javascript" };
  assert.equal(
    publicBase(request("http://edge/battle-data", headers), { trustForwarded: true }),
    "https://edge/functions/v1",
  );
});

Deno.test("without a gateway the request's own address is the public one", () => {
  const base = (url: string) => publicBase(request(url), { trustForwarded: false });
  assert.equal(
    base("http://127.0.0.1:8000/functions/v1/battle-data"),
    "http://127.0.0.1:8000/functions/v1",
  );
  assert.equal(base("http://127.0.0.1:8000/battle-data"), "http://127.0.0.1:8000");
});

Deno.test("a store's inside URL is moved to the public origin, another one is left alone", () => {
  const move = (url: string) => publishUrl(url, "http://kong:8000", "https://x.co/functions/v1");
  assert.equal(move("http://kong:8000/storage/v1/a?token=t"), "https://x.co/storage/v1/a?token=t");
  assert.equal(move("http://kong:80001/a"), "http://kong:80001/a");
  assert.equal(move("https://r2.example/a"), "https://r2.example/a");
});
