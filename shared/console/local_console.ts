/** What `sediment console` loads, and no other command: the proxy, and the page that it serves. */
export { pageAssets } from "./page_assets.ts";
export { startProxy } from "./proxy.ts";
