/**
 * An app in a window, as Electron's or Tauri's: a page from a file, whose scripts are beside it. It makes its own
 * Parquet, keeps it when there is no network, and sends it when there is.
 */
import { parquetWriteBuffer } from "hyparquet-writer";
import { openMedium } from "sediment-client/medium";
import { createUploader, tokenSession } from "sediment-client/uploader";

const { url, key, token, dataset } = Object.fromEntries(
  new URLSearchParams(location.hash.slice(1)),
);
const element = (id) => document.getElementById(id);
let stored = 0;

async function open() {
  const uploader = await createUploader({
    url: `${url}/functions/v1`,
    publishableKey: key,
    session: tokenSession(token),
    medium: await openMedium("scores"),
    log({ event }) {
      if (event === "succeeded") element("stored").textContent = ++stored;
    },
  });
  uploader.start();
  element("save").addEventListener("click", async () => {
    const bytes = parquetWriteBuffer({
      columnData: [
        { name: "at", data: [new Date()], type: "TIMESTAMP" },
        { name: "score", data: [Math.floor(Math.random() * 1000)], type: "INT32" },
      ],
    });
    const day = new Date().toISOString().slice(0, 10);
    await uploader.upload(new Uint8Array(bytes), {
      kind: "fragment",
      dataset_id: dataset,
      table: "scores",
      period_tag: day,
    });
  });
  setInterval(async () => {
    element("pending").textContent = (await uploader.pending()).length;
  }, 200);
  document.title = "ready";
}

void open();
