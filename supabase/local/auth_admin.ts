/**
 * The part of Auth's admin API that read-only keys use, which @supabase/lite lacks: users are made with an id, put right and
 * deleted. A stand-in, in its tables; statuses and words as github.com/supabase/auth has them (internal/api/admin.go).
 */
import type postgres from "postgres";

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What may be said of a user. */
interface UserParams {
  id?: unknown;
  email?: unknown;
  password?: unknown;
  email_confirm?: unknown;
  app_metadata?: unknown;
}

/**
 * Answers `/auth/v1/admin/users` and `/auth/v1/admin/users/:id`.
 *
 * @param sql of a role that owns Auth's tables
 * @param role of the caller, by key or token
 */
export async function adminUsers(
  sql: postgres.Sql,
  role: string,
  request: Request,
): Promise<Response> {
  if (role !== "service_role") return refuse(403, "not_admin", "User not allowed");
  const [, , , , , id, ...more] = new URL(request.url).pathname.split("/");
  const { method } = request;
  if (id === undefined && method === "POST") return await create(sql, await paramsOf(request));
  if (id === undefined || more.length > 0) return refuse(404, "not_found", "no such route here");
  if (!uuid.test(id)) return refuse(404, "validation_failed", "user_id must be an UUID");
  const user = await find(sql, id);
  if (user === null) return refuse(404, "user_not_found", "User not found");
  if (method === "GET") return Response.json(user);
  if (method === "PUT") return await update(sql, id, await paramsOf(request));
  if (method === "DELETE") {
    await sql`delete from auth.users where id = ${id}`;
    return Response.json({});
  }
  return refuse(405, "not_allowed", "method not allowed");
}

async function create(sql: postgres.Sql, params: UserParams): Promise<Response> {
  const { id = crypto.randomUUID(), password, email_confirm, app_metadata } = params;
  const email = typeof params.email === "string" ? params.email.toLowerCase() : "";
  if (!/^[^@\s]+@[^@\s]+$/.test(email)) {
    return refuse(400, "validation_failed", "Unable to validate email address: invalid format");
  }
  if (typeof id !== "string" || !uuid.test(id)) {
    return refuse(400, "validation_failed", "ID must conform to the uuid v4 format");
  }
  const text = typeof password === "string" ? password : crypto.randomUUID();
  const meta = { provider: "email", providers: ["email"], ...Object(app_metadata) };
  const claims = { sub: id, email, email_verified: false, phone_verified: false };
  try {
    await sql.begin(async (tx) => {
      await tx`insert into auth.users (id, email, encrypted_password, email_confirmed_at,
          raw_app_meta_data, raw_user_meta_data)
        values (${id}, ${email}, extensions.crypt(${text}, extensions.gen_salt('bf')),
          ${email_confirm === true ? new Date() : null}, ${tx.json(meta)}, '{}')`;
      await tx`insert into auth.identities (id, provider, provider_id, user_id, identity_data)
        values (${crypto.randomUUID()}, 'email', ${id}, ${id}, ${tx.json(claims)})`;
    });
  } catch (thrown) {
    if ((thrown as { code?: string }).code !== "23505") throw thrown;
    return refuse(
      422,
      "email_exists",
      "A user with this email address has already been registered",
    );
  }
  return Response.json(await find(sql, id));
}

async function update(sql: postgres.Sql, id: string, params: UserParams): Promise<Response> {
  const { email, password, email_confirm } = params;
  await sql`update auth.users u
    set email = coalesce(${typeof email === "string" ? email.toLowerCase() : null}, u.email),
      encrypted_password = coalesce(extensions.crypt(${
    typeof password === "string" ? password : null
  }, extensions.gen_salt('bf')), u.encrypted_password),
      email_confirmed_at = case when ${
    email_confirm === true
  } then coalesce(u.email_confirmed_at, now())
        else u.email_confirmed_at end,
      updated_at = now()
    where u.id = ${id}`;
  return Response.json(await find(sql, id));
}

/** A user as the API answers with it. */
async function find(sql: postgres.Sql, id: string): Promise<Record<string, unknown> | null> {
  const [user] = await sql`
    select id, aud, role, email, email_confirmed_at, raw_app_meta_data as app_metadata,
      raw_user_meta_data as user_metadata, created_at, updated_at
    from auth.users where id = ${id}`;
  return user ?? null;
}

async function paramsOf(request: Request): Promise<UserParams> {
  return Object(await request.json().catch(() => null));
}

function refuse(status: number, error_code: string, msg: string): Response {
  return Response.json({ code: status, error_code, msg }, { status });
}
