/** @jsxImportSource preact */
import { useState } from "preact/hooks";
import { useLive } from "./live.ts";
import { Act } from "./act.tsx";
import { Empty, Panel, Shown } from "./parts.tsx";
import { type Change, SettingChanges } from "./setting_changes.tsx";
import { SettingField } from "./setting_field.tsx";
import type { SettingColumn } from "./setting_text.ts";
import { type OwnSettings, SingleSettings } from "./single_settings.tsx";
import { UserLimits } from "./user_limits.tsx";
import { several } from "./words.ts";

interface Answer extends OwnSettings {
  settings: (SettingColumn & { value: unknown })[];
  warnings: {
    settings: string;
    dataset_id: string | null;
    table: string | null;
    column_name: string;
    warning: string;
  }[];
  history: Change[];
}

/** What the deployment goes by. @param about what its filter begins with */
export function Settings({ about }: { about: string }) {
  const live = useLive<Answer>("/compaction/settings", 30);
  const [sought, setSought] = useState(about);
  const [user, setUser] = useState("");
  return (
    <>
      <h1>Settings</h1>
      <Shown live={live}>
        {({ settings, tables, users, warnings, history }) => {
          const found = settings.filter(({ name, says }) =>
            `${name} ${says}`.toLowerCase().includes(sought.toLowerCase())
          );
          return (
            <>
              {warnings.length > 0 && (
                <Panel title={several(warnings.length, "setting", "settings") + " hardly meant"}>
                  <ul class="troubles">
                    {warnings.map((w) => (
                      <li class="wait">
                        <div>
                          <strong>{w.column_name}</strong>
                          <p>
                            {w.table !== null && `${w.dataset_id?.slice(0, 8)} / ${w.table}: `}
                            {w.warning}
                          </p>
                        </div>
                      </li>
                    ))}
                  </ul>
                </Panel>
              )}
              <Panel
                title="Of the deployment"
                says="Changed here or in the SQL editor, by the same checks"
                tools={
                  <>
                    <input
                      type="search"
                      id="seek"
                      aria-label="Filter settings"
                      placeholder="Name or meaning"
                      value={sought}
                      onInput={(event) => setSought(event.currentTarget.value)}
                    />
                    <Act
                      quiet
                      label="Send a test alert"
                      path="/compaction/alerts/test"
                      done={({ webhooks, errors }) =>
                        webhooks === 0
                          ? "There is no webhook: alert_webhooks is empty"
                          : errors.length === 0
                          ? `${several(webhooks, "webhook")} took it`
                          : errors.join("; ")}
                    />
                  </>
                }
              >
                {found.length === 0
                  ? <Empty>No setting is about that.</Empty>
                  : (
                    <dl class="settings">
                      {found.map((column) => (
                        <SettingField
                          key={column.name}
                          column={column}
                          value={column.value}
                          of={{}}
                        />
                      ))}
                    </dl>
                  )}
              </Panel>
              <SingleSettings tables={tables} users={users} choose={setUser} />
              <UserLimits user={user} choose={setUser} />
              <SettingChanges history={history} />
            </>
          );
        }}
      </Shown>
    </>
  );
}
