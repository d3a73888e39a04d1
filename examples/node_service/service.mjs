/**
 * A Node service that takes Parquet files (`POST /TABLE/PERIOD`) and answers when they are safe: stored by Sediment, or
 * kept here until they are. `GET /` says how many wait.
 */
import { createServer } from "node:http";
import process from "node:process";
import { openMedium } from "sediment-client/medium";
import { createUploader, jsonLog, tokenSession } from "sediment-client/uploader";

const { SEDIMENT_URL, SEDIMENT_KEY, SEDIMENT_TOKEN, SEDIMENT_DATASET, PORT = "0" } = process.env;

const uploader = await createUploader({
  url: `${SEDIMENT_URL}/functions/v1`,
  publishableKey: SEDIMENT_KEY,
  // A service of many users takes serviceSession(key, userId) of sediment-client/service, and a medium for each.
  session: tokenSession(() => SEDIMENT_TOKEN ?? null),
  medium: await openMedium("pending_uploads"),
  log: jsonLog((line) => console.error(line), "warn"),
});
uploader.start();

const server = createServer(async (request, response) => {
  const answer = (status, body) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  if (request.method === "GET") return answer(200, { pending: (await uploader.pending()).length });
  const [, table, period_tag] = request.url.split("/");
  try {
    const meta = { kind: "fragment", dataset_id: SEDIMENT_DATASET, table, period_tag };
    const { status, id } = await uploader.upload(request, meta);
    // Pending is as good as stored: it is on disk, and goes when it can.
    answer(status === "dead" ? 422 : status === "stored" ? 201 : 202, { status, id });
  } catch (error) {
    answer(error.status ?? 500, { code: error.code, message: error.message });
  }
});
server.listen(Number(PORT), "127.0.0.1", () => console.log(server.address().port));

process.once("SIGTERM", async () => {
  server.close();
  await uploader.stop(); // what is under way stays pending
});
