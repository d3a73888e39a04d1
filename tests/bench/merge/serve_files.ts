/**
 * Stands for Supabase Storage: ranges of the files of a folder, and a PUT that is counted and forgotten. Prints its
 * port. Argument: the folder.
 */
import { join } from "node:path";

const folder = Deno.args[0];
let lastSize = 0;

function rangeOf(path: string, header: string): Response {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(header)!.map(Number);
  const file = Deno.openSync(path);
  const { size } = file.statSync();
  file.seekSync(first, Deno.SeekMode.Start);
  const bytes = new Uint8Array(Math.min(last + 1, size) - first);
  for (let done = 0; done < bytes.length;) done += file.readSync(bytes.subarray(done)) ?? Infinity;
  file.close();
  return new Response(bytes, {
    status: 206,
    headers: { "content-range": `bytes ${first}-${last}/${size}` },
  });
}

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(port),
}, async (request) => {
  const path = decodeURIComponent(new URL(request.url).pathname);
  const key = path.slice(path.indexOf("/sediment/") + "/sediment/".length);
  if (path.includes("/object/info/")) {
    return Response.json({
      size: lastSize,
      etag: '"e"',
      content_type: null,
      last_modified: new Date(),
    });
  }
  if (request.method === "GET") return rangeOf(join(folder, key), request.headers.get("range")!);
  lastSize = 0;
  for await (const chunk of request.body ?? []) lastSize += chunk.length;
  return Response.json({ Key: key });
});
