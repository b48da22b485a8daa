// Rates as people write them: a number with a unit, both ways.

export const UNITS = { "KiB/s": 2 ** 10, "MiB/s": 2 ** 20, "GiB/s": 2 ** 30 } as const;
export type Unit = keyof typeof UNITS;

export const DEFAULT_UNIT: Unit = "MiB/s";

/**
 * In the largest unit of which it is 1 or more, with at most one digit after the point; if none says it exactly, in
 * KiB/s with as many as it takes. 0 is no limit, hence no number.
 */
export function written(rate: number): [number: string, unit: Unit] {
  if (rate === 0) return ["", DEFAULT_UNIT];
  for (const unit of ["GiB/s", "MiB/s"] as const) {
    const text = String(Math.round((rate / UNITS[unit]) * 10) / 10);
    if (rate >= UNITS[unit] && read(text, unit) === rate) return [text, unit];
  }
  return [String(rate / UNITS["KiB/s"]), "KiB/s"];
}

/** Bytes a second, 0 for nothing written; null if it is no number, or too small to be a limit. */
export function read(text: string, unit: Unit): number | null {
  const trimmed = text.trim().replace(",", ".");
  if (trimmed === "") return 0;
  if (!/^\d{1,12}(\.\d*)?$/.test(trimmed)) return null;
  return Math.round(Number(trimmed) * UNITS[unit]) || null;
}
