/** A page that uploads the files that are chosen. Closed in the middle, it goes on when it is opened again. */
import { openMedium } from "sediment-client/medium";
import { createUploader, tokenSession } from "sediment-client/uploader";

const { url, key, token, dataset } = Object.fromEntries(
  new URLSearchParams(location.hash.slice(1)),
);
const element = (id) => document.getElementById(id);

const uploader = await createUploader({
  url: `${url}/functions/v1`,
  publishableKey: key,
  // With supabase-js it is supabaseSession(supabase.auth), which follows sign-ins and refreshes.
  session: tokenSession(token),
  medium: await openMedium("pending"),
});
uploader.start();
await navigator.storage?.persist?.(); // else a browser that is short of room may evict what waits

element("file").addEventListener("change", async ({ target }) => {
  for (const file of target.files) {
    const meta = { kind: "fragment", dataset_id: dataset, table: "battles", file_name: file.name };
    try {
      const { status } = await uploader.upload(file, meta, {
        onProgress(progress) {
          if (progress.phase === "sending") element("bar").value = progress.sent / progress.total;
        },
      });
      element("said").textContent = `${file.name}: ${status}`;
    } catch (error) {
      element("said").textContent = `${file.name}: ${error.message}; ${error.expected ?? ""}`;
    }
  }
});

setInterval(async () => {
  element("pending").textContent = (await uploader.pending()).length;
}, 500);
