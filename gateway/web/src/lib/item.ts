// One line of the table: a download or a share with its uploads, or what is on its way to become a share.

import type { Sending } from "./sending";
import type { DownloadRow, HashingRow, ItemState, Priority, ShareRow, SourceRow, UploadRow } from "./types";

export type Role = "download" | "share" | "hashing" | "sending";
export type ShownState = ItemState | "sending";

/** Sizes are bytes, rates bytes a second, times milliseconds since 1970; 0 is unknown or never. */
export interface Item {
  /** The content's id; for what has none yet, something no id looks like. */
  key: string;
  id: string;
  role: Role;
  name: string;
  /** The name in lower case, as it is sorted and filtered by. */
  lower: string;
  kind: string;
  state: ShownState;
  error: string;
  code: string;
  size: number;
  done: number;
  /** 0 to 1. */
  progress: number;
  complete: boolean;
  down: number;
  up: number;
  /** To all peers, in all runs of this one. */
  sent: number;
  /** Seconds. */
  eta: number | null;
  /** Seconds that the download took so far. */
  seconds: number;
  seeds: number | null;
  leechers: number | null;
  sources: SourceRow[];
  takers: UploadRow[];
  added: number;
  finished: number;
  path: string;
  /** Received through the page: its data is the peer's to delete. */
  upload: boolean;
  files: number | null;
  chunks: number;
  chunksDone: number;
  have: string;
  duplicate: number;
  rejected: number;
  priority: Priority;
  /** Fetched from first to last. */
  sequential: boolean;
  /** Of its own; 0: none. */
  upLimit: number;
  downLimit: number;
  /** The least time that any way of sharing could need, and how much of that optimum it reaches; 0: unknown. */
  optimumSeconds: number;
  optimumShare: number;
}

/** Whether something of it is still to be fetched: only then there is an order in which. */
export function isFetched(item: Item): boolean {
  return item.role === "download" && !item.complete;
}

export type Uploads = ReadonlyMap<string, UploadRow> | undefined;

const NOTHING = {
  id: "", kind: "file", error: "", code: "", complete: false, down: 0, up: 0, sent: 0, eta: null, seconds: 0,
  seeds: null, leechers: null, sources: [], takers: [], added: 0, finished: 0, path: "", upload: false, files: null,
  chunks: 0, chunksDone: 0, have: "", duplicate: 0, rejected: 0, priority: "normal", sequential: false, upLimit: 0,
  downLimit: 0, optimumSeconds: 0, optimumShare: 0,
} satisfies Partial<Item>;

function taken(uploads: Uploads): Pick<Item, "takers" | "up"> {
  const takers = uploads ? [...uploads.values()] : [];
  return {
    takers,
    up: takers.reduce((sum, upload) => sum + upload.rate, 0),
  };
}

function time(text: string | null): number {
  return text === null ? 0 : Date.parse(text);
}

export function itemOfDownload(row: DownloadRow, uploads: Uploads): Item {
  return {
    ...NOTHING,
    ...taken(uploads),
    key: row.id,
    id: row.id,
    role: "download",
    name: row.name || row.id.slice(0, 8),
    lower: row.name.toLowerCase(),
    kind: row.kind,
    state: row.state,
    error: row.error,
    code: row.error_code,
    size: row.size,
    done: row.bytes_done,
    progress: row.progress,
    complete: row.finished !== null,
    down: row.down_rate,
    sent: row.uploaded,
    eta: row.eta,
    seconds: row.seconds,
    seeds: row.seeds,
    leechers: row.leechers,
    sources: row.sources,
    added: time(row.added),
    finished: time(row.finished),
    path: row.path,
    chunks: row.chunks,
    chunksDone: row.chunks_done,
    have: row.have,
    duplicate: row.duplicate_bytes,
    rejected: row.rejected_bytes,
    priority: row.priority,
    sequential: row.sequential,
    upLimit: row.up_limit,
    downLimit: row.down_limit,
    optimumSeconds: row.optimum_seconds ?? 0,
    optimumShare: row.optimum_share ?? 0,
  };
}

export function itemOfShare(row: ShareRow, uploads: Uploads): Item {
  return {
    ...NOTHING,
    ...taken(uploads),
    key: row.id,
    id: row.id,
    role: "share",
    name: row.name,
    lower: row.name.toLowerCase(),
    kind: row.kind,
    state: row.state,
    error: row.error,
    size: row.size,
    done: row.size,
    progress: 1,
    complete: true,
    sent: row.uploaded,
    seeds: row.seeds,
    leechers: row.leechers,
    added: time(row.added),
    path: row.path,
    upload: row.upload,
    files: row.files,
    chunks: row.chunks,
    chunksDone: row.chunks,
    have: "ff",
    upLimit: row.up_limit,
    downLimit: row.down_limit,
  };
}

export function itemOfHashing(row: HashingRow): Item {
  return {
    ...NOTHING,
    key: `hashing:${row.path}`,
    role: "hashing",
    name: row.name,
    lower: row.name.toLowerCase(),
    kind: row.files > 1 ? "tree" : "file",
    state: row.state,
    size: row.size,
    done: row.bytes_done,
    progress: row.size > 0 ? row.bytes_done / row.size : 0,
    // What has just begun stands where what was just added will stand.
    added: Infinity,
    path: row.path,
    files: row.files,
  };
}

export function itemOfSending(sending: Sending): Item {
  return {
    ...NOTHING,
    key: `sending:${sending.id}`,
    role: "sending",
    name: sending.name,
    lower: sending.name.toLowerCase(),
    state: sending.phase === "waiting" ? "queued" : "sending",
    size: sending.size,
    done: sending.sent,
    progress: sending.size > 0 ? sending.sent / sending.size : 0,
    added: Infinity,
  };
}
