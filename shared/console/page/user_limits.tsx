/** @jsxImportSource preact */
import { useLive } from "./live.ts";
import { Panel, Shown } from "./parts.tsx";
import { SettingField } from "./setting_field.tsx";
import type { SettingColumn } from "./setting_text.ts";
import type { OwnSettings } from "./single_settings.tsx";

interface Answer extends OwnSettings {
  user_columns?: SettingColumn[];
}

/** The limits of one user, whose id is typed or chosen. */
export function UserLimits({ user, choose }: { user: string; choose: (user: string) => void }) {
  const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(user);
  const live = useLive<Answer>(isId ? `/compaction/settings?user_id=${user}` : null, 30);
  return (
    <Panel title="Limits of a user" says="none: those of the deployment">
      <label class="user-of-limits">
        User
        <input
          value={user}
          placeholder="The user's id"
          spellcheck={false}
          onInput={(event) => choose(event.currentTarget.value.trim().toLowerCase())}
        />
      </label>
      {isId && (
        <Shown live={live}>
          {({ user_columns = [], users }) => {
            const own = users.find(({ user_id }) => user_id === user)?.settings;
            return (
              <dl class="settings">
                {user_columns.map((column) => (
                  <SettingField
                    key={user + column.name}
                    column={column}
                    value={own?.[column.name] ?? null}
                    of={{ user_id: user }}
                  />
                ))}
              </dl>
            );
          }}
        </Shown>
      )}
    </Panel>
  );
}
