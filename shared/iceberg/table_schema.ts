/** A lake's columns as an Iceberg schema, and the names by which files without field ids are read. */

/** The lake's own columns are the first two of each table. */
export const datasetColumnId = 1, periodColumnId = 2;

/** A column of the lake, or a field within one. */
export interface LakeColumn {
  id: number;
  parent: number | null;
  name: string;
  /** All names under which files have it. */
  names: string[];
  /** A type of Iceberg, or `struct`, `list` or `map`; null: it has none, and is not there. */
  type: string | null;
}

/** https://iceberg.apache.org/spec/#schemas-and-data-types */
type IcebergType =
  | string
  | { type: "struct"; fields: IcebergField[] }
  | { type: "list"; "element-id": number; "element-required": boolean; element: IcebergType }
  | {
    type: "map";
    "key-id": number;
    key: IcebergType;
    "value-id": number;
    "value-required": boolean;
    value: IcebergType;
  };

interface IcebergField {
  id: number;
  name: string;
  required: boolean;
  type: IcebergType;
}

/** A schema, as metadata has it. */
export interface IcebergSchema {
  "schema-id": number;
  type: "struct";
  fields: IcebergField[];
}

/** An entry of a name mapping. https://iceberg.apache.org/spec/#name-mapping-serialization */
interface MappedField {
  "field-id": number;
  names: string[];
  fields?: MappedField[];
}

/** What a reader needs to know of the columns. */
export interface TableColumns {
  schema: IcebergSchema;
  /** Of all columns, those that are not there too: a file may have them, and has to be opened. */
  nameMapping: MappedField[];
  /** Names from the top of what is not there, since Iceberg has no such type. */
  leftOut: string[];
}

/** @param schemaId any number that is another one where the columns are others */
export function tableColumns(columns: readonly LakeColumn[], schemaId: number): TableColumns {
  const children = Map.groupBy(columns, ({ parent }) => parent);
  const below = (parent: number | null) => children.get(parent) ?? [];
  const leftOut: string[] = [];

  /** The type, or null where it has none or a part of it that can't be missing has none. */
  function typeOf(column: LakeColumn): IcebergType | null {
    if (column.type === null) return null;
    const named = (name: string) => below(column.id).find((one) => one.name.toLowerCase() === name);
    switch (column.type) {
      case "struct": {
        const fields = fieldsOf(column.id);
        return fields.length === 0 ? null : { type: "struct", fields };
      }
      case "list": {
        const element = named("element");
        const type = element && typeOf(element);
        return element && type
          ? { type: "list", "element-id": element.id, "element-required": false, element: type }
          : null;
      }
      case "map": {
        const [key, value] = [named("key"), named("value")];
        const [keyType, valueType] = [key && typeOf(key), value && typeOf(value)];
        return key && value && keyType && valueType
          ? {
            type: "map",
            "key-id": key.id,
            key: keyType,
            "value-id": value.id,
            "value-required": false,
            value: valueType,
          }
          : null;
      }
      default:
        return column.type;
    }
  }

  function fieldsOf(parent: number | null): IcebergField[] {
    return below(parent).flatMap((column) => {
      const type = typeOf(column);
      if (type !== null) return [{ id: column.id, name: column.name, required: false, type }];
      leftOut.push(pathOf(column));
      return [];
    });
  }

  const byId = new Map(columns.map((column) => [column.id, column]));
  function pathOf(column: LakeColumn): string {
    const above = column.parent === null ? undefined : byId.get(column.parent);
    return above === undefined ? column.name : `${pathOf(above)}.${column.name}`;
  }

  function mapped(parent: number | null): MappedField[] {
    return below(parent).map((column) => {
      const fields = mapped(column.id);
      return {
        "field-id": column.id,
        names: [...new Set([...column.names, column.name])],
        ...(fields.length > 0 && { fields }),
      };
    });
  }

  return {
    schema: { "schema-id": schemaId, type: "struct", fields: fieldsOf(null) },
    nameMapping: mapped(null),
    leftOut,
  };
}
