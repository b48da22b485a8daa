// The lines of the table. A change costs what changed: lines are made anew one by one, counts follow each of them, and
// the order is merged anew, a few times a second, only for those whose place may have changed.

import { EVERYTHING, shows, Tally, type Counts, type Filter } from "./facets";
import { itemOfDownload, itemOfHashing, itemOfSending, itemOfShare, type Item } from "./item";
import type { Sending } from "./sending";
import type { Changes, DownloadRow, HashingRow, PageState, ShareRow, UploadRow } from "./types";

export type Compare = (one: Item, other: Item) => number;

const REORDER_MS = 300;
/** Longer than a hand takes to lift a button, and than the pause between the two presses of a double click. */
const HELD_MS = { pressed: 5000, released: 500 };

class Items {
  /** Goes up with every change of a line; whoever calls `get` depends on it. */
  version = $state(0);
  /** Keys of the lines that the filter lets through, sorted. */
  order = $state.raw<readonly string[]>([]);
  counts = $state.raw<Counts>(new Tally().counts);
  /** Change it by `narrow`. */
  filter = $state.raw<Filter>(EVERYTHING);

  // Nothing reactive is read where changes are made, so an effect may make them.
  private changes = 0;
  private sorted: readonly string[] = [];
  private items = new Map<string, Item>();
  private downloads = new Map<string, DownloadRow>();
  private shares = new Map<string, ShareRow>();
  private hashing = new Map<string, HashingRow>();
  private sending = new Map<string, Sending>();
  private uploads = new Map<string, Map<string, UploadRow>>();
  private tally = new Tally();
  private narrowed: Filter = EVERYTHING;
  private compare: Compare = () => 0;
  private moved = new Set<string>();
  private reordered = -REORDER_MS;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private heldUntil = 0;

  get(key: string): Item | undefined {
    void this.version;
    return this.items.get(key);
  }

  get total(): number {
    return this.counts.all.all;
  }

  /** Whether the filter lets it through. */
  isShown(key: string): boolean {
    const item = this.items.get(key);
    return item !== undefined && shows(this.narrowed, item);
  }

  uploadRows(): UploadRow[] {
    void this.version;
    return [...this.uploads.values()].flatMap((uploads) => [...uploads.values()]);
  }

  narrow(filter: Filter): void {
    this.filter = filter;
    this.narrowed = filter;
    this.arrange();
  }

  sort(compare: Compare): void {
    this.compare = compare;
    this.arrange();
  }

  /** While a button of the pointer is down, and for a double click, no line comes under it or slides away. */
  hold(pointer: keyof typeof HELD_MS): void {
    this.heldUntil = performance.now() + HELD_MS[pointer];
    if (this.moved.size > 0) this.schedule(0);
  }

  replace(state: PageState): void {
    this.downloads = new Map(Object.entries(state.downloads));
    this.shares = new Map(Object.entries(state.shares));
    this.hashing = new Map(Object.values(state.hashing).map((row) => [`hashing:${row.path}`, row]));
    this.uploads = new Map();
    for (const row of Object.values(state.uploads)) this.putUpload(row);
    this.items = new Map();
    this.tally.clear();
    for (const key of [...this.hashing.keys(), ...this.sending.keys(), ...this.downloads.keys(), ...this.shares.keys()]) {
      const item = this.make(key);
      if (!item || this.items.has(key)) continue;
      this.items.set(key, item);
      this.tally.count(undefined, item);
    }
    this.arrange();
  }

  apply(set: Changes["set"], remove: Changes["remove"]): void {
    const touched = new Set<string>();
    put(this.downloads, set.downloads, remove.downloads, touched);
    put(this.shares, set.shares, remove.shares, touched);
    for (const row of Object.values(set.hashing ?? {})) {
      this.hashing.set(`hashing:${row.path}`, row);
      touched.add(`hashing:${row.path}`);
    }
    for (const path of remove.hashing ?? []) {
      this.hashing.delete(`hashing:${path}`);
      touched.add(`hashing:${path}`);
    }
    for (const row of Object.values(set.uploads ?? {})) {
      this.putUpload(row);
      touched.add(row.content);
    }
    for (const key of remove.uploads ?? []) {
      const [content = "", peer = ""] = key.split("/");
      this.uploads.get(content)?.delete(peer);
      touched.add(content);
    }
    this.refresh(touched);
  }

  /** What this browser is uploading to the peer. */
  send(shown: readonly Sending[]): void {
    const before = this.sending;
    // What has arrived is hashed, of which the peer tells by itself.
    this.sending = new Map(shown.filter((one) => one.phase !== "hashing").map((one) => [`sending:${one.id}`, one]));
    this.refresh(new Set([...before.keys(), ...this.sending.keys()]));
  }

  private putUpload(row: UploadRow): void {
    const uploads = this.uploads.get(row.content) ?? new Map<string, UploadRow>();
    uploads.set(row.peer, row);
    this.uploads.set(row.content, uploads);
  }

  private make(key: string): Item | undefined {
    const download = this.downloads.get(key);
    if (download) return itemOfDownload(download, this.uploads.get(key));
    const share = this.shares.get(key);
    if (share) return itemOfShare(share, this.uploads.get(key));
    const hashing = this.hashing.get(key);
    if (hashing) return itemOfHashing(hashing);
    const sending = this.sending.get(key);
    return sending && itemOfSending(sending);
  }

  private refresh(touched: ReadonlySet<string>): void {
    if (touched.size === 0) return;
    let came = false;
    for (const key of touched) {
      const before = this.items.get(key);
      const after = this.make(key);
      this.tally.count(before, after);
      if (after) this.items.set(key, after);
      else this.items.delete(key);
      if (this.moves(before, after)) this.moved.add(key);
      came ||= (before === undefined) !== (after === undefined);
    }
    this.publish();
    if (this.moved.size === 0) return;
    // What comes or goes has its place at once: a gap that closes and opens again would move what is pointed at.
    this.schedule(came ? 0 : this.reordered + REORDER_MS - performance.now());
  }

  private schedule(after: number): void {
    const wait = Math.max(after, this.heldUntil - performance.now());
    if (wait <= 0) return this.reorder();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.reorder(), wait);
  }

  private moves(before: Item | undefined, after: Item | undefined): boolean {
    const was = before !== undefined && shows(this.narrowed, before);
    const is = after !== undefined && shows(this.narrowed, after);
    return was !== is || (was && is && this.compare(before, after) !== 0);
  }

  private arrange(): void {
    this.sorted = [];
    this.moved = new Set(this.items.keys());
    this.publish();
    this.reorder();
  }

  private reorder(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.reordered = performance.now();
    const moved = this.moved;
    this.moved = new Set();
    const placed: Item[] = [];
    for (const key of moved) {
      const item = this.items.get(key);
      if (item && shows(this.narrowed, item)) placed.push(item);
    }
    placed.sort(this.compare);
    const kept = this.sorted.filter((key) => !moved.has(key));
    this.sorted = this.merged(kept, placed);
    this.order = this.sorted;
  }

  private merged(kept: readonly string[], placed: readonly Item[]): string[] {
    const order: string[] = [];
    let next = 0;
    for (const key of kept) {
      const item = this.items.get(key);
      for (let one = placed[next]; one && item && this.compare(one, item) < 0; one = placed[next]) {
        order.push(one.key);
        next += 1;
      }
      order.push(key);
    }
    return order.concat(placed.slice(next).map((item) => item.key));
  }

  private publish(): void {
    this.version = ++this.changes;
    this.counts = this.tally.counts;
  }
}

function put<R>(
  rows: Map<string, R>,
  set: Record<string, R> | undefined,
  remove: string[] | undefined,
  touched: Set<string>,
): void {
  for (const [key, row] of Object.entries(set ?? {})) {
    rows.set(key, row);
    touched.add(key);
  }
  for (const key of remove ?? []) {
    rows.delete(key);
    touched.add(key);
  }
}

export const items = new Items();
