// How the table and the pane below it look, as this browser remembers it.

import { COLUMN, COLUMNS, comparison, isColumn, type Column, type ColumnId } from "./columns";
import type { Compare } from "./items.svelte";
import { recall, remember } from "./stored";

const NARROWEST = 48;
const WIDEST = 1200;
export const LOWEST_PANE = 120;

interface Sort {
  column: ColumnId;
  descending: boolean;
}

class Layout {
  /** Every column, shown or not, from left to right. */
  order = $state.raw<readonly ColumnId[]>(COLUMNS.map((column) => column.id));
  hidden = $state.raw<ReadonlySet<ColumnId>>(new Set(COLUMNS.filter((column) => !column.shown).map(({ id }) => id)));
  widths = $state.raw<Readonly<Partial<Record<ColumnId, number>>>>({});
  sort = $state.raw<Sort>({ column: "added", descending: true });
  /** Whether the pane with details is open, and its height in pixels. */
  pane = $state.raw({ open: false, height: 280 });

  readonly columns: readonly Column[] = $derived(
    this.order.filter((id) => !this.hidden.has(id)).map((id) => COLUMN[id]),
  );
  /** Columns that may be too narrow for what they say: each cell that is cut off costs something to draw. */
  readonly cut: ReadonlySet<ColumnId> = $derived(
    new Set(COLUMNS.filter(({ id, long, width }) => long || this.width(id) < width).map(({ id }) => id)),
  );
  readonly compare: Compare = $derived(comparison(this.sort.column, this.sort.descending));

  constructor() {
    this.recall();
  }

  width(id: ColumnId): number {
    return this.widths[id] ?? COLUMN[id].width;
  }

  resize(id: ColumnId, pixels: number): void {
    this.widths = { ...this.widths, [id]: Math.round(Math.min(WIDEST, Math.max(NARROWEST, pixels))) };
    this.keep();
  }

  /** The name is always shown. */
  toggle(id: ColumnId): void {
    const hidden = new Set(this.hidden);
    if (!hidden.delete(id) && id !== "name") hidden.add(id);
    this.hidden = hidden;
    this.keep();
  }

  /** One place to the left or right, over hidden columns. */
  move(id: ColumnId, by: 1 | -1): void {
    const shown = this.columns.map((column) => column.id);
    const other = shown[shown.indexOf(id) + by] ?? this.order[this.order.indexOf(id) + by];
    if (other) this.place(id, other);
  }

  /** Where another column stands, which gives way. */
  place(id: ColumnId, at: ColumnId): void {
    const to = this.order.indexOf(at);
    const order = this.order.filter((other) => other !== id);
    order.splice(to, 0, id);
    this.order = order;
    this.keep();
  }

  sortBy(column: ColumnId): void {
    const same = this.sort.column === column;
    // Of numbers one wants the largest first, of words the first.
    this.sort = { column, descending: same ? !this.sort.descending : COLUMN[column].number };
    this.keep();
  }

  openPane(open: boolean): void {
    this.pane = { ...this.pane, open };
    this.keep();
  }

  resizePane(height: number): void {
    this.pane = { ...this.pane, height: Math.round(Math.max(LOWEST_PANE, height)) };
    this.keep();
  }

  reset(): void {
    this.order = COLUMNS.map((column) => column.id);
    this.hidden = new Set(COLUMNS.filter((column) => !column.shown).map(({ id }) => id));
    this.widths = {};
    this.keep();
  }

  private keep(): void {
    const { order, widths, sort, pane } = this;
    remember("table", { order, hidden: [...this.hidden], widths, sort, pane });
  }

  /** Takes what fits; columns that a later version brought stand where they stand by default. */
  private recall(): void {
    const kept = recall("table") as Partial<Record<string, unknown>> | null;
    if (kept === null || typeof kept !== "object") return;
    const { order, hidden, widths, sort, pane } = kept;
    if (Array.isArray(order) && Array.isArray(hidden)) {
      const known = new Set(order.filter(isColumn));
      this.order = [...known, ...COLUMNS.map((column) => column.id).filter((id) => !known.has(id))];
      const fresh = COLUMNS.filter((column) => !column.shown && !known.has(column.id)).map(({ id }) => id);
      this.hidden = new Set([...hidden.filter(isColumn).filter((id) => id !== "name"), ...fresh]);
    }
    for (const [id, width] of Object.entries(widths ?? {})) {
      if (isColumn(id) && typeof width === "number") this.widths = { ...this.widths, [id]: width };
    }
    const { column, descending } = (sort ?? {}) as Partial<Sort>;
    if (isColumn(column)) this.sort = { column, descending: descending === true };
    const { open, height } = (pane ?? {}) as Partial<Layout["pane"]>;
    if (typeof height === "number" && height >= LOWEST_PANE) this.pane = { open: open === true, height };
  }
}

export const layout = new Layout();
