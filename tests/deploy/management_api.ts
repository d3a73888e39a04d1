/** As much of Supabase's Management API as `supabase functions deploy --use-api` calls: it takes bundles. */
import { join } from "node:path";

/**
 * The API of one project.
 *
 * @param folder where the bundles are kept
 * @param deployed is told of all functions when the CLI has sent the last one
 */
export function createManagementApi(
  folder: string,
  deployed: (modules: { name: string; path: string }[]) => Promise<void>,
): (request: Request) => Promise<Response> {
  const paths = new Map<string, string>();
  return async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    if (!/^\/v1\/projects\/[a-z]{20}\/functions/.test(pathname)) {
      return Response.json({ message: "not found" }, { status: 404 });
    }
    if (request.method === "POST" && pathname.endsWith("/functions/deploy")) {
      const name = searchParams.get("slug")!;
      const form = await request.formData();
      const metadata = JSON.parse(await (form.get("metadata") as Blob | string).toString());
      const path = join(folder, `${name}.js`);
      await Deno.writeFile(path, await (form.get("file") as File).bytes());
      paths.set(name, path);
      return Response.json({
        ...{ id: crypto.randomUUID(), slug: name, name, status: "ACTIVE", version: 1 },
        ...{ created_at: 1, updated_at: 1, verify_jwt: metadata.verify_jwt, ezbr_sha256: "0" },
        entrypoint_path: metadata.entrypoint_path,
      }, { status: 201 });
    }
    if (request.method === "PUT") {
      const functions = await request.json() as { verify_jwt: boolean }[];
      // The platform's own check would refuse cron's pings.
      if (functions.some(({ verify_jwt }) => verify_jwt)) {
        return Response.json({ message: "verify_jwt is on" }, { status: 400 });
      }
      await deployed([...paths].map(([name, path]) => ({ name, path })));
      return Response.json({ functions });
    }
    return Response.json([]);
  };
}
