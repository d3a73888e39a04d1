/** Run by node_test.ts on Node: the bundled library against a service over a socket. */
// The bundle is written beside a copy of this file when the test runs; a type check must not look for it.
const bundle = new URL("./uploader.mjs", import.meta.url).href;
const { createUploader, diskMedium, tokenSession } = await import(bundle);

const [url, folder] = process.argv.slice(2);
const uploader = await createUploader({
  url,
  medium: await diskMedium(folder),
  session: tokenSession("token-1"),
});
const meta = (table) => ({
  kind: "fragment",
  dataset_id: "0b3f1c58-5b0f-4f0e-9d3e-6a1f0c2d4e5f",
  table,
});
const bytes = new Uint8Array(50_000).fill(7);
const outcomes = [
  await uploader.upload(bytes, meta("a")),
  await uploader.upload(new Blob([bytes]), meta("b")),
  await uploader.upload(new Blob([bytes]).stream(), meta("c")),
  await uploader.upload(bytes, meta("d"), { sendNow: false }),
  await uploader.upload(bytes, meta("d"), { sendNow: false }),
];
const report = await uploader.retry();
const left = await uploader.pending();
await uploader.stop();
console.log(JSON.stringify({
  statuses: outcomes.map((outcome) => outcome.status),
  stored: report.stored,
  left: left.length,
  version: process.versions.node,
}));
