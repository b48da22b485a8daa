// How often each type of event comes.

export interface TypeRate {
  type: string;
  total: number;
  /** Events a second, over the last few seconds. */
  rate: number;
}

const SECONDS = 5;

interface Tally {
  total: number;
  now: number;
  /** Of the last full seconds, newest last. */
  past: number[];
}

export class Rates {
  private tallies = new Map<string, Tally>();

  add(counts: Readonly<Record<string, number>>): void {
    for (const [type, count] of Object.entries(counts)) {
      const tally = this.tallies.get(type) ?? { total: 0, now: 0, past: [] };
      tally.total += count;
      tally.now += count;
      this.tallies.set(type, tally);
    }
  }

  /** A second is over; all types, by name. */
  second(): TypeRate[] {
    const rates = [...this.tallies].map(([type, tally]) => {
      tally.past = [...tally.past, tally.now].slice(-SECONDS);
      tally.now = 0;
      return { type, total: tally.total, rate: tally.past.reduce((sum, one) => sum + one, 0) / tally.past.length };
    });
    return rates.sort((one, other) => one.type.localeCompare(other.type));
  }
}
