// The filters beside the table, and how many lines each would show.

import type { Item, ShownState } from "./item";
import { STATES } from "./words";

export type Kind = "all" | "downloads" | "shares" | "uploads";
export type StateFilter = "all" | ShownState;

export const KINDS: Record<Kind, [label: string, meaning: string]> = {
  all: ["Everything", "Downloads and shares"],
  downloads: ["Downloads", "What this peer fetches or has fetched"],
  shares: ["Shared from here", "What this peer offers from where it lies, and what is being hashed for that"],
  uploads: ["Being fetched", "What others are fetching from this peer right now"],
};

export interface Filter {
  kind: Kind;
  state: StateFilter;
  /** Lower case; a line is shown if its name has every one of them, or its id begins with it. */
  words: readonly string[];
}

export const EVERYTHING: Filter = { kind: "all", state: "all", words: [] };

export type Counts = Readonly<Record<Kind, Readonly<Record<StateFilter, number>>>>;

function kindsOf(item: Item): Kind[] {
  const kinds: Kind[] = ["all", item.role === "download" ? "downloads" : "shares"];
  if (item.up > 0) kinds.push("uploads");
  return kinds;
}

/** Whether both count for the same. */
function alike(one: Item, other: Item): boolean {
  return one.state === other.state && one.role === other.role && one.up > 0 === other.up > 0;
}

export function shows(filter: Filter, item: Item): boolean {
  if (filter.state !== "all" && item.state !== filter.state) return false;
  if (filter.kind !== "all" && !kindsOf(item).includes(filter.kind)) return false;
  return filter.words.every((word) => item.lower.includes(word) || item.id.startsWith(word));
}

/** Counts that follow each change of a line. */
export class Tally {
  private counting = this.none();
  private copy: Counts | undefined;

  clear(): void {
    this.counting = this.none();
    this.copy = undefined;
  }

  count(before: Item | undefined, after: Item | undefined): void {
    if (before && after && alike(before, after)) return;
    this.add(before, -1);
    this.add(after, 1);
    this.copy = undefined;
  }

  /** Another object only if it says something else: who shows it has nothing to do otherwise. */
  get counts(): Counts {
    return (this.copy ??= structuredClone(this.counting));
  }

  private add(item: Item | undefined, by: 1 | -1): void {
    if (!item) return;
    for (const kind of kindsOf(item)) {
      this.counting[kind].all += by;
      this.counting[kind][item.state] += by;
    }
  }

  private none(): Record<Kind, Record<StateFilter, number>> {
    const states = ["all", ...Object.keys(STATES)].map((state) => [state, 0] as const);
    return Object.fromEntries(
      Object.keys(KINDS).map((kind) => [kind, Object.fromEntries(states)]),
    ) as Record<Kind, Record<StateFilter, number>>;
  }
}
