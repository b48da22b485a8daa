// What can be set of items, one or many: when it makes sense, and how it is done.

import { change, isListed, toEach } from "./actions";
import type { Patch } from "./api";
import { isFetched, type Item } from "./item";
import { toasts } from "./toasts.svelte";

export type Settings = Omit<Patch, "action">;

/** Of each only what makes sense; how many of them took it. */
export async function set(chosen: readonly Item[], settings: Settings): Promise<number> {
  const ordered = settings.priority !== undefined || settings.sequential !== undefined;
  const valid = chosen.filter(ordered ? isFetched : isListed);
  const done = await toEach(valid, (item) => change(item, settings), "changed");
  if (done > 1) toasts.show("info", `${done.toLocaleString()} are changed`);
  return done;
}

/** The value that all of them have; undefined if they differ. */
export function common<T>(chosen: readonly Item[], value: (item: Item) => T): T | undefined {
  const [first, ...others] = chosen;
  if (!first) return undefined;
  return others.every((item) => value(item) === value(first)) ? value(first) : undefined;
}
