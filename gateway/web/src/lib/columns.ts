// The columns that the table can have: what each shows, and what it sorts by.

import * as format from "./format";
import { isFetched, type Item } from "./item";
import type { Compare } from "./items.svelte";
import { PRIORITIES, stateWord } from "./words";

export type ColumnId =
  | "name" | "size" | "progress" | "state" | "down" | "up" | "eta" | "seeds" | "leechers" | "sent" | "ratio" | "added"
  | "done" | "left" | "kind" | "files" | "chunks" | "finished" | "priority" | "order" | "downLimit" | "upLimit"
  | "optimum" | "path" | "id";

export interface Column {
  id: ColumnId;
  label: string;
  meaning: string;
  /** Pixels, until somebody changes it. */
  width: number;
  shown: boolean;
  number: boolean;
  /** Whether its texts are of any length. */
  long: boolean;
  /** What it sorts by; unknown values come last either way. */
  value: (item: Item) => string | number | null;
  text: (item: Item) => string;
}

function column(
  id: ColumnId,
  label: string,
  meaning: string,
  width: number,
  shown: boolean,
  value: Column["value"],
  text: Column["text"],
): Column {
  const number = !["name", "progress", "state", "kind", "order", "path", "id"].includes(id);
  const long = ["kind", "order", "added", "finished", "path", "id"].includes(id);
  return { id, label, meaning, width, shown, number, long, value, text };
}

function amount(number: number | null): string {
  return number === null ? "" : number.toLocaleString();
}

function bytes(number: number): string {
  return number > 0 ? format.size(number) : "";
}

function rate(number: number): string {
  return number > 0 ? format.rate(number) : "";
}

function ratio(item: Item): number | null {
  const served = item.role === "download" || item.role === "share";
  return served && item.done > 0 ? item.sent / item.done : null;
}

function eta(item: Item): string {
  if (item.eta !== null && !item.complete) return format.duration(item.eta);
  return item.state === "stalled" || item.state === "no_sources" ? "∞" : "";
}

function kindWord(item: Item): string {
  const what = item.kind === "tree" ? "Folder" : "File";
  return item.role === "download" ? `${what}, fetched` : item.upload ? `${what}, uploaded here` : `${what}, shared`;
}

function orderWord(item: Item): string {
  return isFetched(item) && item.sequential ? "First to last" : "";
}

export const COLUMNS: readonly Column[] = [
  column("name", "Name", "What it is called", 260, true, (item) => item.lower, (item) => item.name),
  column("size", "Size", "Of the whole content", 86, true, (item) => item.size, (item) => bytes(item.size)),
  column("progress", "Progress", "How much of it is here and verified", 130, true, (item) => item.progress,
    (item) => format.percent(item.progress)),
  column("state", "State", "What it is doing", 144, true, (item) => stateWord(item.state), (item) => stateWord(item.state)),
  column("down", "Down", "What arrives, a second", 96, true, (item) => item.down, (item) => rate(item.down)),
  column("up", "Up", "What leaves, a second", 96, true, (item) => item.up, (item) => rate(item.up)),
  column("eta", "Left", "Time until it is complete, at this rate", 96, true,
    (item) => (item.complete ? null : item.eta), eta),
  column("seeds", "Seeds", "Peers that have all of it", 70, true, (item) => item.seeds, (item) => amount(item.seeds)),
  column("leechers", "Leechers", "Peers that fetch it", 94, true, (item) => item.leechers,
    (item) => amount(item.leechers)),
  column("sent", "Sent", "To other peers, in all", 90, false, (item) => item.sent,
    (item) => bytes(item.sent)),
  column("ratio", "Ratio", "Sent to other peers, for each byte that is here", 66, true, ratio, (item) => {
    const value = ratio(item);
    return value === null ? "" : value.toFixed(2);
  }),
  column("added", "Added", "When it was put on the list", 160, true, (item) => item.added || null,
    (item) => format.moment(item.added)),
  column("done", "Here", "Bytes that are here", 90, false, (item) => item.done, (item) => bytes(item.done)),
  column("left", "Missing", "Bytes that are not here yet", 90, false, (item) => item.size - item.done,
    (item) => bytes(item.size - item.done)),
  column("kind", "Kind", "File or folder, and how it came here", 150, false, kindWord, kindWord),
  column("files", "Files", "In a folder", 70, false, (item) => item.files, (item) => amount(item.files)),
  column("chunks", "Chunks", "Parts that are verified one by one", 80, false, (item) => item.chunks,
    (item) => amount(item.chunks || null)),
  column("finished", "Finished", "When it was complete", 160, false, (item) => item.finished || null,
    (item) => format.moment(item.finished)),
  column("priority", "Priority", "Which downloads come first", 86, false,
    (item) => (isFetched(item) ? PRIORITIES[item.priority][1] : null),
    (item) => (isFetched(item) ? PRIORITIES[item.priority][0] : "")),
  column("order", "Order", "Whether its chunks are fetched from first to last", 100, false, (item) => orderWord(item), orderWord),
  column("downLimit", "Down limit", "The most that may arrive of it, a second", 100, false,
    (item) => item.downLimit || null, (item) => rate(item.downLimit)),
  column("upLimit", "Up limit", "The most that may leave of it, a second", 100, false, (item) => item.upLimit || null,
    (item) => rate(item.upLimit)),
  column("optimum", "Optimum", "How fast it comes, measured by the fastest way that its swarm allows", 90, false,
    (item) => item.optimumShare || null, (item) => (item.optimumShare ? format.percent(item.optimumShare) : "")),
  column("path", "Path", "Where it lies on the peer's machine", 260, false, (item) => item.path, (item) => item.path),
  column("id", "Id", "Of the content, everywhere the same", 150, false, (item) => item.id, (item) => item.id),
];

export const COLUMN = Object.fromEntries(COLUMNS.map((each) => [each.id, each])) as Record<ColumnId, Column>;

export function isColumn(id: unknown): id is ColumnId {
  return typeof id === "string" && id in COLUMN;
}

/** By a column, then by name, then by key: two lines never change places without a reason. */
export function comparison(id: ColumnId, descending: boolean): Compare {
  const { value } = COLUMN[id];
  const sign = descending ? -1 : 1;
  return (one, other) => {
    const left = value(one);
    const right = value(other);
    if (left !== right) {
      if (left === null) return 1;
      if (right === null) return -1;
      return left < right ? -sign : sign;
    }
    if (one.lower !== other.lower) return one.lower < other.lower ? -1 : 1;
    return one.key < other.key ? -1 : one.key > other.key ? 1 : 0;
  };
}
