// The peer's event stream, while somebody looks at it: the newest events, how many of each type came a second, and what
// is missing. The gateway sends it only to pages that ask for it, and of a flood the newest with the number of the rest.

import { live } from "./live.svelte";
import { Rates, type TypeRate } from "./frequencies";
import type { EventsFrame, TappedEvent } from "./types";

const MOST = 1000;

class Tap {
  /** Newest first. */
  entries = $state.raw<readonly TappedEvent[]>([]);
  rates = $state.raw<readonly TypeRate[]>([]);
  /** How many came since the list was last held still. */
  waiting = $state(0);
  /** Events of the topic that the gateway left out, as they were too many. */
  dropped = $state(0);
  /** Events that never arrived. */
  missed = $state(0);
  paused = $state(false);
  /** Beginning of the types that are asked for. */
  topic = $state("");

  private kept: TappedEvent[] = [];
  private counted = new Rates();
  private scrolled = false;
  private timer: ReturnType<typeof setInterval> | undefined;

  open(): void {
    this.clear();
    live.tap(this.topic, (frame) => this.take(frame));
    this.timer = setInterval(() => (this.rates = this.counted.second()), 1000);
  }

  close(): void {
    clearInterval(this.timer);
    live.untap();
    this.clear();
  }

  choose(topic: string): void {
    this.topic = topic;
    live.tap(topic, (frame) => this.take(frame));
    this.clearList();
  }

  pause(paused: boolean): void {
    this.paused = paused;
    this.show();
  }

  /** While the list is scrolled, what is read does not move away. */
  hold(scrolled: boolean): void {
    if (scrolled === this.scrolled) return;
    this.scrolled = scrolled;
    this.show();
  }

  clear(): void {
    this.clearList();
    this.counted = new Rates();
    this.rates = [];
    this.missed = 0;
  }

  private clearList(): void {
    this.kept = [];
    this.entries = [];
    this.waiting = 0;
    this.dropped = 0;
  }

  private take(frame: EventsFrame): void {
    this.counted.add(frame.counts);
    this.missed += Object.values(frame.missed).reduce((sum, one) => sum + one, 0);
    // A frame that was on its way when another topic was chosen.
    const fitting = frame.events.filter((event) => event.type.startsWith(this.topic));
    this.dropped += frame.dropped;
    this.kept = fitting.reverse().concat(this.kept).slice(0, MOST);
    this.waiting += fitting.length;
    this.show();
  }

  private show(): void {
    if (this.paused || this.scrolled) return;
    this.entries = this.kept;
    this.waiting = 0;
  }
}

export const tap = new Tap();
