/**
 * A program: functions/main.ts at a port of its own choice, since Deno 2.1 always takes 8000. Prints the port, and ends
 * when stdin does.
 */
import { createApp } from "../../functions/main.ts";

Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: ({ port }) => console.log(port) },
  createApp(Deno.env.toObject()).fetch,
);
for await (const _ of Deno.stdin.readable);
Deno.exit(0);
