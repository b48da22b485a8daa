// A setting while it is being changed: what stands in its field, and what that says.

import type { SettingShown } from "./types";

export interface Draft {
  /** `true` or `false` of a switch. */
  text: string;
  /** Of a quantity. */
  unit: string;
}

const UNITS: Record<string, Record<string, number>> = {
  size: { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
  duration: { ms: 0.001, s: 1, min: 60, h: 3600, d: 86400 },
};

/** The units in which it may be written; none if it is no quantity. */
export function unitsOf(one: SettingShown): string[] {
  return Object.keys(UNITS[one.control] ?? {});
}

/** Whether a page changes it here: limits have a place of their own. */
export function isOpen(one: SettingShown): boolean {
  return !one.closed && !one.live;
}

/** What the configuration says now. */
export function written(one: SettingShown): Draft {
  const [text = "", unit = ""] = unitsOf(one).length > 0 ? one.written.split(" ") : [one.written];
  return { text, unit };
}

/** The value to send, or nothing for what cannot be one. The peer's machine decides; this only tells sooner. */
export function valueOf(one: SettingShown, draft: Draft): string | number | boolean | undefined {
  if (one.control === "switch") return draft.text === "true";
  if (one.control === "choice") return draft.text;
  const text = draft.text.trim().replace(",", ".");
  const factor = UNITS[one.control]?.[draft.unit];
  if (one.control !== "whole" && one.control !== "number" && factor === undefined) return text;
  const digits = one.control === "whole" ? /^-?\d{1,15}$/ : /^-?\d{1,15}(\.\d{1,9})?$/;
  const number = Number(text);
  const amount = number * (factor ?? 1);
  if (!digits.test(text) || amount < (one.least ?? -Infinity) || amount > (one.most ?? Infinity)) return undefined;
  return factor === undefined ? number : `${text} ${draft.unit}`;
}
