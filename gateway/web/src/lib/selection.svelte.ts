// Which lines of the table are selected, and the one that the arrow keys start from.

class Selection {
  keys = $state.raw<ReadonlySet<string>>(new Set());
  /** Empty if there is none. */
  cursor = $state("");
  private anchor = "";

  only(key: string): void {
    this.keys = new Set([key]);
    this.at(key);
  }

  toggle(key: string): void {
    const keys = new Set(this.keys);
    if (!keys.delete(key)) keys.add(key);
    this.keys = keys;
    this.at(key);
  }

  /** From where the selection began to here, and nothing else. */
  extend(key: string, order: readonly string[]): void {
    const from = Math.max(0, order.indexOf(this.anchor));
    const to = order.indexOf(key);
    this.keys = new Set(order.slice(Math.min(from, to), Math.max(from, to) + 1));
    this.cursor = key;
  }

  /** Moves without selecting. */
  at(key: string): void {
    this.cursor = key;
    this.anchor = key;
  }

  all(order: readonly string[]): void {
    this.keys = new Set(order);
  }

  none(): void {
    this.keys = new Set();
  }

  /** Lets go of what can no longer be seen: nobody acts on what he does not see. */
  keep(isShown: (key: string) => boolean): void {
    const kept = [...this.keys].filter(isShown);
    if (kept.length < this.keys.size) this.keys = new Set(kept);
    if (!isShown(this.cursor)) this.cursor = "";
  }

  /** After a removal the cursor stands where it stood, on what has moved up. */
  stay(before: readonly string[], after: readonly string[]): void {
    const at = before.indexOf(this.cursor);
    if (at >= 0) this.at(after[Math.min(at, after.length - 1)] ?? "");
  }
}

export const selection = new Selection();
