// What can be done with items: when each makes sense, and how it is done to many.

import { api, type Patch } from "./api";
import type { Item } from "./item";
import type { IconName } from "../components/Icon.svelte";
import { uploads } from "./sending";
import { toasts } from "./toasts.svelte";

export type ActionId = "resume" | "pause" | "verify" | "remove" | "erase";

export interface Action {
  id: ActionId;
  label: string;
  meaning: string;
  /** As it is shown; the table listens for it. */
  keys: string;
  icon: IconName;
  /** What to call it when it is done, after a number. */
  done: string;
  allows: (item: Item) => boolean;
  perform: (item: Item) => Promise<void>;
}

const BUSY_AT_ONCE = 4;

export function change(item: Item, patch: Patch): Promise<void> {
  return item.role === "share" ? api.changeShare(item.id, patch) : api.changeDownload(item.id, patch);
}

async function remove(item: Item, data: boolean): Promise<void> {
  if (item.role === "sending") uploads.cancel(Number(item.key.slice("sending:".length)));
  else if (item.role === "share") await api.unshare(item.id, data);
  else await api.remove(item.id, data);
}

export function isListed(item: Item): boolean {
  return item.role === "download" || item.role === "share";
}

/** Whether removing it with its data deletes more than removing it does. */
function hasData(item: Item): boolean {
  return item.role === "download" ? item.complete : item.role === "share" && item.upload;
}

export const ACTIONS: Record<ActionId, Action> = {
  resume: {
    id: "resume", label: "Resume", meaning: "Let it go on after a pause or an error", keys: "R", icon: "play",
    done: "resumed",
    allows: (item) => isListed(item) && (item.state === "paused" || (item.state === "error" && item.role === "download")),
    perform: (item) => change(item, { action: "resume" }),
  },
  pause: {
    id: "pause", label: "Pause", meaning: "Neither fetch nor offer it until it is resumed", keys: "P", icon: "pause",
    done: "paused",
    allows: (item) => isListed(item) && item.state !== "paused" && item.state !== "error",
    perform: (item) => change(item, { action: "pause" }),
  },
  verify: {
    id: "verify", label: "Verify", meaning: "Hash what is on disk again; of a download, what is damaged is fetched again",
    keys: "V", icon: "verify", done: "being verified",
    allows: (item) => isListed(item) && item.chunks > 0 && item.state !== "verifying",
    perform: (item) => change(item, { action: "verify" }),
  },
  remove: {
    id: "remove", label: "Remove…", meaning: "Take it off the list; files that are complete stay", keys: "Del",
    icon: "close", done: "removed",
    allows: (item) => item.role !== "hashing",
    perform: (item) => remove(item, false),
  },
  erase: {
    id: "erase", label: "Remove with data…", meaning: "Take it off the list and delete its files from the disk",
    keys: "Shift+Del", icon: "trash", done: "removed with data",
    allows: hasData,
    perform: (item) => remove(item, true),
  },
};

export function allowed(id: ActionId, chosen: readonly Item[]): Item[] {
  return chosen.filter(ACTIONS[id].allows);
}

export async function perform(id: ActionId, chosen: readonly Item[]): Promise<void> {
  const action = ACTIONS[id];
  const done = await toEach(chosen, action.perform, action.done);
  const [only] = chosen;
  if (done > 1) toasts.show("info", `${done.toLocaleString()} are ${action.done}`);
  else if (done === 1 && only && id === "verify") toasts.show("info", `${only.name} is ${action.done}`);
}

/** Does it to each, a few at once; of many failures the first is told, with their number. Returns how many went well. */
export async function toEach(
  chosen: readonly Item[],
  perform: (item: Item) => Promise<void>,
  done: string,
): Promise<number> {
  const waiting = [...chosen];
  const failures: unknown[] = [];
  async function work(): Promise<void> {
    for (let item = waiting.shift(); item; item = waiting.shift()) {
      try {
        await perform(item);
      } catch (error) {
        failures.push(error);
      }
    }
  }
  await Promise.all(Array.from({ length: BUSY_AT_ONCE }, work));
  if (failures.length > 0) toasts.fail(failures[0]);
  if (failures.length > 1) toasts.show("error", `${failures.length} of ${chosen.length} could not be ${done}`);
  return chosen.length - failures.length;
}
