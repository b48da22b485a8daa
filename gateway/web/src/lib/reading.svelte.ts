// The bytes of a file, for the browser itself: saved as a file, or played while they come.

import { api } from "./api";
import { nameOf } from "./files";
import { isFetched, type Item } from "./item";
import { download } from "./saving";
import { toasts } from "./toasts.svelte";
import type { FileHeld } from "./types";

export type Medium = "audio" | "video";

/** What is in files whose names end so, if it is what it seems. */
const TYPES: Record<string, string> = {
  aac: "audio/aac", flac: "audio/flac", m4a: "audio/mp4", mp3: "audio/mpeg", oga: "audio/ogg", ogg: "audio/ogg",
  opus: "audio/ogg", wav: "audio/wav", weba: "audio/webm", m4v: "video/mp4", mp4: "video/mp4", mov: "video/mp4",
  ogv: "video/ogg", webm: "video/webm",
};

/** How a file of this name is played; null if this browser cannot. */
export function mediumOf(path: string): Medium | null {
  const name = nameOf(path).toLowerCase();
  const type = TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "";
  const medium = type.startsWith("video/") ? "video" : "audio";
  return type !== "" && document.createElement(medium).canPlayType(type) !== "" ? medium : null;
}

/** Whether a file of an item can be read now, or as its bytes come; `size` and `held` tell of the file. */
export function isReadable(item: Item, size: number, held: FileHeld | undefined): boolean {
  if (item.state === "error" || item.role === "hashing" || item.role === "sending") return false;
  if (item.role === "share") return true;
  if (!held?.wanted) return false;
  return held.bytes_done >= size || (isFetched(item) && item.state !== "paused");
}

/** The same of an item that is a single file. */
export function isReadableWhole(item: Item): boolean {
  const all = { index: 0, wanted: true, bytes_done: item.complete ? item.size : 0, priority: item.priority };
  return item.kind === "file" && isReadable(item, item.size, all);
}

/** Where the bytes of a file are, for whoever cannot show the token: for an hour. */
async function addressOf(id: string, file: number): Promise<string> {
  const { url } = await api.ticket(id);
  return `${url}&file=${file}`;
}

/** Has the browser save a file; what has not come yet is waited for. */
export async function save(id: string, file: number): Promise<void> {
  try {
    download(await addressOf(id, file), "");
  } catch (error) {
    toasts.fail(error);
  }
}

/** Milliseconds after which a file that is not read on may only need another ticket. */
const RENEW_AFTER = 5 * 60_000;

class Player {
  /** What is played; null if nothing is. */
  shown = $state.raw<{ id: string; file: number; name: string; medium: Medium; address: string } | null>(null);
  private ticketed = 0;

  async open(id: string, file: number, name: string): Promise<void> {
    const medium = mediumOf(name);
    if (!medium) return;
    try {
      this.shown = { id, file, name, medium, address: await addressOf(id, file) };
      this.ticketed = Date.now();
    } catch (error) {
      toasts.fail(error);
    }
  }

  /** Reads what is played from another address, if the ticket for the last one may be too old; whether it does. */
  async renew(): Promise<boolean> {
    const shown = this.shown;
    if (!shown || Date.now() - this.ticketed < RENEW_AFTER) return false;
    this.ticketed = Date.now();
    const address = await addressOf(shown.id, shown.file).catch(() => "");
    if (address === "" || this.shown !== shown) return false;
    this.shown = { ...shown, address };
    return true;
  }

  close(): void {
    this.shown = null;
  }
}

export const player = new Player();
