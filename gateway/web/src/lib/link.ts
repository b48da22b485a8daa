// Share links: what a friend pastes into `shoal get` or into a page's search box.

import type { TrackerRow } from "./types";

export function linkOf(id: string, name: string, trackers: TrackerRow[]): string {
  const fields = [`name=${encodeURIComponent(name)}`];
  for (const tracker of trackers) {
    fields.push(`tracker=${encodeURIComponent(tracker.endpoint)}`, `key=${tracker.public_key}`);
  }
  return `shoal:${id}?${fields.join("&")}`;
}
