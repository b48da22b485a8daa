// Share links: what a friend pastes into `shoal get` or into a page's search box.

import type { TrackerRow } from "./types";

const LOOPBACK = /^tcp:\/\/(127\.|localhost:|\[::1\])/;

/** Names the trackers that others can reach; a friend with the same tracker needs none. */
export function linkOf(id: string, name: string, trackers: TrackerRow[]): string {
  const fields = [`name=${encodeURIComponent(name)}`];
  for (const tracker of trackers.filter((each) => !LOOPBACK.test(each.endpoint))) {
    fields.push(`tracker=${encodeURIComponent(tracker.endpoint)}`, `key=${tracker.public_key}`);
  }
  return `shoal:${id}?${fields.join("&")}`;
}
