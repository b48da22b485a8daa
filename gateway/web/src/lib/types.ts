// The rows of the page's state, as the gateway sends them. Sizes are bytes, rates bytes a second, times RFC 3339.

export type ItemState =
  | "queued"
  | "hashing"
  | "downloading"
  | "stalled"
  | "no_sources"
  | "verifying"
  | "seeding"
  | "paused"
  | "error";

export interface PeerRow {
  name: string;
  id: string;
  version: string;
  started: string | null;
  data: string;
  download_dir: string;
  up_rate: number;
  down_rate: number;
  disk_free: number | null;
  upload_max: number;
  up_limit: number;
  down_limit: number;
  limits_scheduled: boolean;
  stale: boolean;
}

export interface TrackerRow {
  endpoint: string;
  public_key: string;
  state: "connecting" | "reached" | "lost";
  reason: string;
}

export interface ShareRow {
  id: string;
  name: string;
  kind: string;
  size: number;
  files: number;
  chunks: number;
  path: string;
  upload: boolean;
  state: ItemState;
  error: string;
  added: string | null;
  seeds: number | null;
  leechers: number | null;
  up_limit: number;
  down_limit: number;
  uploaded: number;
}

export interface HashingRow {
  path: string;
  name: string;
  state: "hashing" | "queued";
  bytes_done: number;
  size: number;
  files_done: number;
  files: number;
}

export interface SourceRow {
  peer: string;
  bytes: number;
  rate: number;
  chunks: number;
  state: string;
}

export type Priority = "high" | "normal" | "low";

export interface DownloadRow {
  id: string;
  name: string;
  kind: string;
  size: number;
  path: string;
  state: ItemState;
  bytes_done: number;
  progress: number;
  chunks: number;
  chunks_done: number;
  down_rate: number;
  eta: number | null;
  seconds: number;
  duplicate_bytes: number;
  rejected_bytes: number;
  sources: SourceRow[];
  have: string;
  error: string;
  error_code: string;
  added: string | null;
  finished: string | null;
  seeds: number | null;
  leechers: number | null;
  priority: Priority;
  sequential: boolean;
  up_limit: number;
  down_limit: number;
  optimum_seconds: number | null;
  optimum_share: number | null;
  uploaded: number;
}

export interface UploadRow {
  content: string;
  peer: string;
  bytes: number;
  rate: number;
}

export interface OtherPeerRow {
  peer: string;
  name: string;
  address: string;
  connected: boolean;
  up_rate: number;
  down_rate: number;
  sent: number;
  received: number;
  score: number | null;
  reason: string;
}

export type Verdict = "" | "trusted" | "blocked";

export interface ReputationRow {
  peer: string;
  name: string;
  score: number;
  flags: string[];
  verdict: Verdict;
  events: Record<string, number>;
  cause: string;
}

export interface PageState {
  peer: Record<string, PeerRow>;
  tracker: Record<string, TrackerRow>;
  shares: Record<string, ShareRow>;
  hashing: Record<string, HashingRow>;
  downloads: Record<string, DownloadRow>;
  uploads: Record<string, UploadRow>;
  peers: Record<string, OtherPeerRow>;
  reputation: Record<string, ReputationRow>;
}

export interface Snapshot {
  epoch: string;
  seq: number;
  state: PageState;
}

export interface Changes {
  epoch: string;
  base: number;
  seq: number;
  set: { [S in keyof PageState]?: PageState[S] };
  remove: { [S in keyof PageState]?: string[] };
}

export interface Notice {
  level: "success" | "info" | "error";
  text: string;
  code: string;
  item: string;
}

export interface FoundContent {
  id: string;
  name: string;
  kind: string;
  size: number;
  seeds: number;
  leechers: number;
}

export interface FileRow {
  index: number;
  path: string;
  size: number;
  executable: boolean;
}

export type Span = "5m" | "1h" | "24h";

export interface RatesOverTime {
  until: string;
  step: number;
  up: (number | null)[];
  down: (number | null)[];
}

export interface FileHeld {
  index: number;
  wanted: boolean;
  bytes_done: number;
  priority: Priority;
}

export interface ContentPieces {
  chunks: number;
  here: string;
  copies: string;
  linked: number;
  peers: { peer: string; complete: boolean; chunks: number; offered: string }[];
}

export interface SourceExplained {
  peer: string;
  cause: string;
  text: string;
  rate: number;
  chunks: number;
  to_come: number;
  credit: number;
  unwritten: number;
}

export interface ContentExplanation {
  id: string;
  name: string;
  state: string;
  cause: string;
  text: string;
  rate: number;
  chunks_missing: number;
  chunks_free: number;
  bytes_to_come: number;
  bytes_unwritten: number;
  limit: number;
  limit_of: "" | "all" | "content";
  sources: SourceExplained[];
}

export interface ReputationEvent {
  time: string;
  type: string;
  content: string;
  bytes: number;
  change: number;
  score: number;
}

export interface Explanation {
  peer: string;
  score: number;
  events: ReputationEvent[];
  verdict: Verdict;
}

export interface SharedAnswer {
  id: string;
  name: string;
  size: number;
  files: number;
  link: string;
  skipped: string[];
}

export interface TappedEvent {
  type: string;
  seq: number;
  /** Seconds since 1970. */
  time: number;
  /** The fields as JSON, or the first of them if `cut`. */
  body: string;
  cut: boolean;
  missed: number;
}

export interface EventsFrame {
  events: TappedEvent[];
  dropped: number;
  counts: Record<string, number>;
  missed: Record<string, number>;
}

/** Bytes a second; 0: unlimited. */
export interface LimitsInForce {
  up: number;
  down: number;
  up_is_set: boolean;
  down_is_set: boolean;
  effective_up: number;
  effective_down: number;
  schedule: Schedule | null;
  scheduled: boolean;
}

export type Weekday = "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun";

/** Limits at certain times of the week; times are HH:MM. */
export interface Schedule {
  up: number;
  down: number;
  days: Weekday[];
  begin: string;
  end: string;
}

export interface LimitsPatch {
  up?: number | "default";
  down?: number | "default";
  schedule?: Schedule | null;
}

export interface SettingShown {
  key: string;
  text: string;
  allowed: string;
  default: string;
  value: string;
  origin: "default" | "file" | "environment" | "flag" | "running";
  origin_name: string;
  live: boolean;
  control: "switch" | "choice" | "whole" | "number" | "size" | "rate" | "duration" | "text" | "list";
  choices: string[];
  least: number | null;
  most: number | null;
  /** By the configuration, by now. */
  written: string;
  closed: string;
  by_hand: string;
  after_restart?: string;
}

export interface SettingsShown {
  file: string;
  file_error: string;
  sections: { name: string; text: string; settings: SettingShown[] }[];
  restart: string;
}

export interface ContentEvent {
  number: number;
  time: string;
  type: string;
  tone: "good" | "busy" | "warn" | "bad" | "calm";
  text: string;
  /** Whom it is about; empty: nobody. */
  peer: string;
}

export interface FileListing {
  items: FileRow[];
  next_cursor: string | null;
  id: string;
  name: string;
  kind: string;
  size: number;
  /** In all. */
  files: number;
}

export interface FolderListing {
  /** Empty: these are the folders to begin with. */
  path: string;
  parent: string | null;
  items: { name: string; path: string; kind: "file" | "folder"; size: number; modified: string | null }[];
  more: boolean;
}
