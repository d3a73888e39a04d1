import { strict as assert } from "node:assert";
import { SedimentError } from "../../shared/errors.ts";
import { checkSettings } from "../../shared/uploader/settings/check_settings.ts";
import {
  loadSettings,
  type SettingsSources,
} from "../../shared/uploader/settings/load_settings.ts";

function refusal(sources: SettingsSources): SedimentError {
  try {
    loadSettings(sources);
  } catch (error) {
    assert.ok(error instanceof SedimentError && error.code === "invalid_config", String(error));
    return error;
  }
  throw new Error(`${JSON.stringify(sources)} was taken`);
}

Deno.test("without any source the defaults are those of docs/settings.md", () => {
  const { retry } = checkSettings({});
  assert.deepEqual([retry.max_attempts, retry.ttl_seconds, retry.interval_seconds], [
    5,
    86_400,
    60,
  ]);
});

Deno.test("a switch is on or off in each source, and nothing else", () => {
  const own = (sources: SettingsSources) => loadSettings(sources).upload.own_dataset;
  assert.equal(own({}), false);
  assert.equal(own({ toml: "[app.asset_sync.upload]\nown_dataset = true" }), true);
  for (const [text, on] of [["1", true], ["true", true], ["0", false], ["FALSE", false]] as const) {
    assert.equal(own({ env: { SEDIMENT_UPLOAD_OWN_DATASET: text } }), on);
  }
  const { field } = refusal({ env: { SEDIMENT_UPLOAD_OWN_DATASET: "yes" } });
  assert.equal(field, "upload.own_dataset");
});

Deno.test("code wins over the environment, that over the file, that over the defaults", () => {
  const toml = `
    [app.theme]
    theme = "dark"
    [app.asset_sync]
    enable = true
    skip_extensions = ["mp3"]
    [app.asset_sync.retry]
    max_attempts = 2
    ttl_seconds = 100
    interval_seconds = 10
    [app.asset_sync.pending]
    directory = "from-file"`;
  const env = {
    SEDIMENT_RETRY_TTL_SECONDS: "200",
    SEDIMENT_RETRY_INTERVAL_SECONDS: "20",
    PATH: "x",
  };
  const settings = loadSettings({ toml, env, code: { retry: { interval_seconds: 30 } } });
  assert.deepEqual(
    [settings.retry.max_attempts, settings.retry.ttl_seconds, settings.retry.interval_seconds],
    [2, 200, 30],
  );
  assert.equal(settings.pending.directory, "from-file");
});

Deno.test("a wrong value names the key, where it was set, the value and what was expected", () => {
  const cases: [SettingsSources, RegExp[], string][] = [
    [
      { toml: "[app.asset_sync.retry]\nmax_attempts = -3", tomlName: "configs.toml" },
      [/app\.asset_sync\.retry\.max_attempts in configs\.toml/, /-3/, /1 to 1000/],
      "retry.max_attempts",
    ],
    [
      { toml: '[app.asset_sync.retry]\nttl_seconds = "a day"' },
      [/ttl_seconds/, /"a day"/, /number/],
      "retry.ttl_seconds",
    ],
    [
      { env: { SEDIMENT_RETRY_INTERVAL_SECONDS: "-1" } },
      [/SEDIMENT_RETRY_INTERVAL_SECONDS/, /-1/],
      "retry.interval_seconds",
    ],
    [
      { env: { SEDIMENT_RETRY_MAX_ATTEMPTS: "2.5" } },
      [/SEDIMENT_RETRY_MAX_ATTEMPTS/, /2\.5/, /a whole number/],
      "retry.max_attempts",
    ],
    [
      { code: { pending: { quota_bytes: 0 } } },
      [/pending\.quota_bytes/, /0/],
      "pending.quota_bytes",
    ],
    [
      { code: { pending: { when_full: "panic" as "refuse" } } },
      [/when_full/, /"panic"/, /drop_oldest/],
      "pending.when_full",
    ],
  ];
  for (const [sources, patterns, field] of cases) {
    const error = refusal(sources);
    for (const pattern of patterns) assert.match(error.message, pattern);
    assert.equal(error.field, field);
  }
});

Deno.test("an unknown key is refused, with the known ones", () => {
  const slip = refusal({ toml: "[app.asset_sync.retry]\nmax_attemps = 3", tomlName: "c.toml" });
  assert.match(slip.message, /app\.asset_sync\.retry\.max_attemps in c\.toml \(= 3\)/);
  assert.match(slip.expected!, /max_attempts/);
  const variable = refusal({ env: { SEDIMENT_UPLOAD_SPEED: "fast" } });
  assert.match(variable.message, /SEDIMENT_UPLOAD_SPEED/);
  assert.equal(refusal({ toml: "[app.asset_sync.retri]\nx = 1" }).field, "app.asset_sync.retri");
});

Deno.test("TOML that is no TOML names the line", () => {
  const error = refusal({ toml: "[app.asset_sync.retry]\nmax_attempts == 3", tomlName: "c.toml" });
  assert.match(error.message, /c\.toml line 2/);
});

Deno.test("a folder may be called by a number, also in the environment", () => {
  const { pending } = loadSettings({ env: { SEDIMENT_PENDING_DIRECTORY: "2024" } });
  assert.equal(pending.directory, "2024");
});
