// Rates as people write them: a number with a unit, both ways.

import { size } from "./format";

export const UNITS = { "KiB/s": 2 ** 10, "MiB/s": 2 ** 20, "GiB/s": 2 ** 30 } as const;
export type Unit = keyof typeof UNITS;

export const DEFAULT_UNIT: Unit = "MiB/s";

/** The largest unit in which it takes at most one digit after the point; 0 is no limit, hence no number. */
export function written(rate: number): [number: string, unit: Unit] {
  if (rate === 0) return ["", DEFAULT_UNIT];
  const [, unit] = size(rate).split(" ");
  const best = `${unit}/s` in UNITS ? (`${unit}/s` as Unit) : "KiB/s";
  return [String(Math.round((rate / UNITS[best]) * 1000) / 1000), best];
}

/** Bytes a second, 0 for nothing written; null if it is no number, or too small to be a limit. */
export function read(text: string, unit: Unit): number | null {
  const trimmed = text.trim().replace(",", ".");
  if (trimmed === "") return 0;
  if (!/^\d{1,12}(\.\d*)?$/.test(trimmed)) return null;
  return Math.round(Number(trimmed) * UNITS[unit]) || null;
}
