import { strict as assert } from "node:assert";
import { SignJWT } from "jose";
import { type Stack, startStack } from "../../supabase/local/stack.ts";
import { eventually } from "../support/eventually.ts";
import { anonClient, serviceClient, signUp } from "../support/stack.ts";
import { migrationsFolder } from "./migrations_folder.ts";

const schema = `
create table public.notes (
  id bigint generated always as identity primary key,
  user_id uuid not null default auth.uid() references auth.users (id),
  body text not null
);
alter table public.notes enable row level security;
create policy own_notes on public.notes to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
grant select, insert on public.notes to authenticated;
grant all on public.notes to service_role;
create table public.numbers (n int primary key);
insert into public.numbers select generate_series(1, 1500);
grant select on public.numbers to service_role;
create function public.statement_timeout() returns text language sql as
  $$ select current_setting('statement_timeout') $$;
create function public.who() returns jsonb language sql as $$
  select jsonb_build_object('role', current_user, 'uid', auth.uid(), 'jwt_role', auth.role(),
    'email', auth.email()) $$;
`;

let stack: Stack;
let migrationsDir: string;
Deno.test.beforeAll(async () => {
  migrationsDir = await migrationsFolder({ "20250101000000_notes.sql": schema });
  stack = await startStack({ migrationsDir, functions: false, cron: false });
});
Deno.test.afterAll(async () => {
  await stack.stop();
  await Deno.remove(migrationsDir, { recursive: true });
});

const rest = (path: string, headers: HeadersInit = {}) =>
  fetch(`${stack.url}/rest/v1/${path}`, { headers });

Deno.test("a user's token reaches row-level security: each user sees only own rows", async () => {
  const [ada, bob] = [await signUp(stack), await signUp(stack)];
  const inserted = await ada.client.from("notes").insert({ body: "hers" }).select("user_id,body");
  assert.deepEqual(inserted.data, [{ user_id: ada.id, body: "hers" }]);
  assert.deepEqual((await bob.client.from("notes").select()).data, []);
  const stolen = await bob.client.from("notes").insert({ body: "x", user_id: ada.id });
  assert.equal(stolen.error?.code, "42501");
});

Deno.test("the publishable key is anon, the secret keys are service_role", async () => {
  const who = async (key: string) => await (await rest("rpc/who", { apikey: key })).json();
  assert.equal((await who(stack.publishableKey)).role, "anon");
  assert.equal((await who(stack.secretKey)).role, "service_role");
  assert.equal((await who(stack.cronKey)).role, "service_role");
  assert.equal((await anonClient(stack).from("notes").select()).status, 401);
});

Deno.test("auth.uid(), auth.role() and auth.email() read the user's claims", async () => {
  const user = await signUp(stack);
  const { data } = await user.client.rpc("who");
  assert.deepEqual(data, {
    role: "authenticated",
    uid: user.id,
    jwt_role: "authenticated",
    email: user.email,
  });
});

Deno.test("REST without a key, with an unknown key or a forged token answers 401", async () => {
  const forged = await new SignJWT({ role: "service_role" })
    .setProtectedHeader({ alg: "HS256" }).setExpirationTime("1h")
    .sign(new TextEncoder().encode("a secret that is not the stack's own"));
  const cases: HeadersInit[] = [
    {},
    { apikey: "sb_secret_unknown" },
    { apikey: stack.publishableKey, authorization: "Bearer sb_secret_unknown" },
    { apikey: stack.publishableKey, authorization: `Bearer ${forged}` },
  ];
  for (const headers of cases) {
    const response = await rest("notes", headers);
    await response.body?.cancel();
    assert.equal(response.status, 401, JSON.stringify(headers));
  }
});

Deno.test("an answer has at most 1,000 rows, as hosted", async () => {
  const { data } = await serviceClient(stack).from("numbers").select();
  assert.equal(data?.length, 1000);
});

Deno.test("statements time out as hosted: anon 3 s, users and service_role 8 s", async () => {
  const user = await signUp(stack);
  assert.equal((await anonClient(stack).rpc("statement_timeout")).data, "3s");
  assert.equal((await user.client.rpc("statement_timeout")).data, "8s");
  assert.equal((await serviceClient(stack).rpc("statement_timeout")).data, "8s");
});

Deno.test("PostgREST sees a table that is made while it runs", async () => {
  const { default: postgres } = await import("postgres");
  const sql = postgres(stack.dbUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`create table public.late (id int)`;
    await sql`grant select on public.late to service_role`;
  } finally {
    await sql.end();
  }
  const client = serviceClient(stack);
  await eventually("the new table", async () => (await client.from("late").select()).data);
});

Deno.test("a preflight of a browser is answered without a key", async () => {
  const response = await fetch(`${stack.url}/rest/v1/notes`, {
    method: "OPTIONS",
    headers: {
      origin: "https://example.com",
      "access-control-request-method": "POST",
      "access-control-request-headers": "apikey,authorization,content-type",
    },
  });
  await response.body?.cancel();
  assert.equal(response.status, 204);
  assert.match(response.headers.get("access-control-allow-headers") ?? "", /authorization/);
});
