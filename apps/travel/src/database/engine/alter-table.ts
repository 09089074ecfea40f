import { errors } from "../errors.ts";
import { finishTable, type TableDraft } from "../sql/create-table.ts";
import type { TableChange } from "../sql/schema-statements.ts";
import type { ColumnDefinition, TableDefinition } from "../sql/table-definition.ts";

export interface ChangedTable {
  readonly table: TableDefinition;
  /** The new name of a column → the name its values are under. */
  readonly renames: ReadonlyMap<string, string>;
}

class TableEditor {
  readonly draft: TableDraft;
  name: string;
  readonly renames = new Map<string, string>();

  constructor(table: TableDefinition) {
    this.name = table.name;
    this.draft = {
      columns: [...table.columns],
      indexes: [...table.indexes],
      foreignKeys: [...table.foreignKeys],
      checks: [...table.checks],
      ...(table.comment !== undefined && { comment: table.comment }),
    };
  }

  column(name: string): number {
    const index = this.draft.columns.findIndex((column) => column.name.toLowerCase() === name.toLowerCase());
    if (index < 0) throw errors.unknownColumn(name, this.name);
    return index;
  }

  insert(columns: readonly ColumnDefinition[], position: "first" | { readonly after: string } | undefined): void {
    const last = this.draft.columns.length;
    const at = position === undefined ? last : position === "first" ? 0 : this.column(position.after) + 1;
    this.draft.columns.splice(at, 0, ...columns);
  }

  /** Gives a column another name, in the keys too. */
  rename(from: string, to: string): void {
    const index = this.column(from);
    const column = this.draft.columns[index];
    if (!column || column.name === to) return;
    this.draft.columns[index] = { ...column, name: to };
    this.renames.set(to, this.renames.get(column.name) ?? column.name);
    const renamed = (names: readonly string[]): string[] => names.map((name) => (name === column.name ? to : name));
    this.draft.indexes = this.draft.indexes.map((each) => ({ ...each, columns: renamed(each.columns) }));
    this.draft.foreignKeys = this.draft.foreignKeys.map((each) => ({ ...each, columns: renamed(each.columns) }));
  }

  drop(name: string): void {
    const [column] = this.draft.columns.splice(this.columnToDrop(name), 1);
    if (this.draft.columns.length === 0) throw errors.notSupported("a table without columns");
    this.draft.indexes = this.draft.indexes
      .map((each) => ({ ...each, columns: each.columns.filter((key) => key !== column?.name) }))
      .filter((each) => each.columns.length > 0);
  }

  columnToDrop(name: string): number {
    const index = this.draft.columns.findIndex((column) => column.name.toLowerCase() === name.toLowerCase());
    if (index < 0) throw errors.cannotDrop(name);
    return index;
  }

  without<Named extends { readonly name: string }>(list: readonly Named[], name: string): Named[] {
    const left = list.filter((each) => each.name.toLowerCase() !== name.toLowerCase());
    if (left.length === list.length) throw errors.cannotDrop(name);
    return left;
  }
}

/** The definition after the changes of an ALTER TABLE. */
export function changedTable(before: TableDefinition, changes: readonly TableChange[]): ChangedTable {
  const editor = new TableEditor(before);
  for (const change of changes) apply(editor, change);
  return { table: finishTable(editor.name, editor.draft), renames: editor.renames };
}

function apply(editor: TableEditor, change: TableChange): void {
  const { draft } = editor;
  switch (change.kind) {
    case "add":
      editor.insert(change.draft.columns, change.position);
      draft.indexes.push(...change.draft.indexes);
      draft.foreignKeys.push(...change.draft.foreignKeys);
      draft.checks.push(...change.draft.checks);
      return;
    case "changeColumn": {
      editor.rename(change.column, change.definition.name);
      const index = editor.column(change.definition.name);
      draft.columns.splice(index, 1, change.definition);
      if (change.position === undefined) return;
      draft.columns.splice(index, 1);
      editor.insert([change.definition], change.position);
      return;
    }
    case "renameColumn":
      return editor.rename(change.from, change.to);
    case "setDefault": {
      const index = editor.column(change.column);
      const column = draft.columns[index];
      if (!column) return;
      const { default: _before, ...rest } = column;
      draft.columns[index] = change.definition ? { ...rest, default: change.definition } : rest;
      return;
    }
    case "dropColumn":
      return editor.drop(change.column);
    case "dropIndex":
      draft.indexes = editor.without(draft.indexes, change.index);
      return;
    case "dropForeignKey":
      draft.foreignKeys = editor.without(draft.foreignKeys, change.name);
      return;
    case "dropCheck":
      draft.checks = editor.without(draft.checks, change.name);
      return;
    case "renameIndex":
      if (!draft.indexes.some((index) => index.name === change.from)) throw errors.keyMissing(change.from, editor.name);
      draft.indexes = draft.indexes.map((index) =>
        index.name === change.from ? { ...index, name: change.to } : index,
      );
      return;
    case "rename":
      editor.name = change.to.name;
      return;
    case "options":
      if (change.comment !== undefined) draft.comment = change.comment;
  }
}
