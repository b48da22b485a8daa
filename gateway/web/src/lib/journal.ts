// What happened to each item since the page was opened, told from the differences between two of its states.

import * as format from "./format";
import type { Item } from "./item";
import { stateTone, stateWord, type Tone } from "./words";

export interface Entry {
  /** Milliseconds since 1970. */
  time: number;
  tone: Tone;
  text: string;
  /** The peer that it is about, if any. */
  peer: string;
}

const MOST_ENTRIES = 100;
const MOST_ITEMS = 1000;

class Journal {
  private entries = new Map<string, Entry[]>();

  /** Oldest first. */
  of(key: string): readonly Entry[] {
    return this.entries.get(key) ?? [];
  }

  note(before: Item | undefined, after: Item | undefined): void {
    if (after === undefined) {
      if (before) this.add(before.key, "calm", "Taken off the list");
      return;
    }
    if (before === undefined) {
      this.add(after.key, stateTone(after.state), `Listed: ${stateWord(after.state)}`);
    } else if (before.state !== after.state) {
      this.add(after.key, stateTone(after.state), `${stateWord(before.state)} → ${stateWord(after.state)}`);
    }
    if (after.error && after.error !== before?.error) {
      this.add(after.key, "bad", after.code ? `${after.error} ${after.code}` : after.error);
    }
    if (before) this.compare(before, after);
  }

  clear(): void {
    this.entries.clear();
  }

  private compare(before: Item, after: Item): void {
    if (after.complete && !before.complete) {
      this.add(after.key, "good", `Complete: ${format.size(after.size)} in ${format.duration(after.seconds)}`);
    }
    if (after.rejected > before.rejected) {
      this.add(after.key, "bad", `${format.size(after.rejected - before.rejected)} failed verification`);
    }
    if (after.sources === before.sources) return;
    const known = new Map(before.sources.map((source) => [source.peer, source.state]));
    for (const source of after.sources) {
      const state = known.get(source.peer);
      if ((state ?? "gone") === "gone" && source.state !== "gone") {
        this.add(after.key, "good", "is a source", source.peer);
      } else if (state !== undefined && state !== "gone" && source.state === "gone") {
        this.add(after.key, "warn", "is gone", source.peer);
      }
    }
  }

  private add(key: string, tone: Tone, text: string, peer = ""): void {
    const entries = this.entries.get(key) ?? [];
    entries.push({ time: Date.now(), tone, text, peer });
    if (entries.length > MOST_ENTRIES) entries.shift();
    // The item with the newest entry stands last: the first is forgotten.
    this.entries.delete(key);
    this.entries.set(key, entries);
    if (this.entries.size > MOST_ITEMS) this.entries.delete(this.entries.keys().next().value ?? "");
  }
}

export const journal = new Journal();
