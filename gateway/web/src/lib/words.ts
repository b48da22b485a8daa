// States and events in words: colour never says anything alone.

import type { DownloadRow, ItemState } from "./types";

export type Tone = "good" | "busy" | "warn" | "bad" | "calm";

const STATES: Record<ItemState, [word: string, tone: Tone, meaning: string]> = {
  queued: ["Queued", "calm", "It waits for its turn"],
  hashing: ["Hashing", "busy", "Its digests are being computed"],
  downloading: ["Downloading", "busy", "Chunks are arriving"],
  stalled: ["Stalled", "warn", "There are sources, but nothing is arriving from them"],
  no_sources: ["No sources", "warn", "Nobody who has it can be reached; it goes on by itself when somebody can"],
  verifying: ["Verifying", "busy", "What is on disk is being hashed again"],
  seeding: ["Sharing", "good", "It is complete and offered to others"],
  paused: ["Paused", "calm", "It neither fetches nor offers anything until it is resumed"],
  error: ["Error", "bad", "It stopped; resume tries again"],
};

export function stateWord(state: ItemState): string {
  return STATES[state]?.[0] ?? state;
}

export function stateTone(state: ItemState): Tone {
  return STATES[state]?.[1] ?? "calm";
}

export function stateMeaning(state: ItemState): string {
  return STATES[state]?.[2] ?? "";
}

export function isComplete(download: DownloadRow): boolean {
  return download.finished !== null;
}

const SOURCE_STATES: Record<string, string> = {
  idle: "connected",
  linked: "connected",
  waiting: "waiting for a slot",
  open: "sending",
  done: "gave its part",
  gone: "gone",
};

export function sourceWord(state: string): string {
  return SOURCE_STATES[state] ?? state;
}

const REPUTATION_EVENTS: Record<string, [word: string, tone: Tone]> = {
  SUCCESSFUL_UPLOAD: ["sent us verified data", "good"],
  SUCCESSFUL_DOWNLOAD: ["finished a download from us", "good"],
  REFUSED_UPLOAD: ["refused a chunk it had offered", "warn"],
  TIMED_OUT: ["sent nothing of a wanted chunk in time", "warn"],
  CORRUPTED_DATA: ["sent data that failed verification", "bad"],
};

export function eventWord(type: string): string {
  return REPUTATION_EVENTS[type]?.[0] ?? type.toLowerCase().replaceAll("_", " ");
}

export function eventTone(type: string): Tone {
  return REPUTATION_EVENTS[type]?.[1] ?? "calm";
}

const FLAGS: Record<string, string> = {
  newcomer: "newcomer: it has sent us nothing yet",
  refused: "refused: its score is too low to be served",
  banned: "banned for a while: it sent corrupted data",
};

export function flagMeaning(flag: string): string {
  return FLAGS[flag] ?? flag;
}
