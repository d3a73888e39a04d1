/** @jsxImportSource preact */
import { useLive } from "./live.ts";
import { Panel, Shown } from "./parts.tsx";
import { SettingField } from "./setting_field.tsx";
import type { SettingColumn } from "./setting_text.ts";

interface Answer {
  table_columns?: SettingColumn[];
  tables: { dataset_id: string; table: string; settings: Record<string, unknown> }[];
}

/** What a table goes by beside the deployment's settings. */
export function TableSettings({ id, table }: { id: string; table: string }) {
  const live = useLive<Answer>("/compaction/settings", 30);
  return (
    <Shown live={live}>
      {({ table_columns = [], tables }) => {
        const own = tables.find((one) => one.dataset_id === id && one.table === table);
        return (
          <Panel
            title="Settings"
            says="of this table; none: those of the dataset or the deployment"
          >
            <dl class="settings">
              {table_columns.map((column) => (
                <SettingField
                  key={column.name}
                  column={column}
                  value={own?.settings[column.name] ?? null}
                  of={{ dataset_id: id, table }}
                />
              ))}
            </dl>
          </Panel>
        );
      }}
    </Shown>
  );
}
