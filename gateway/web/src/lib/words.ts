// States and events in words: colour never says anything alone.

import type { ShownState } from "./item";
import type { Priority, SourceRow } from "./types";

export type Tone = "good" | "busy" | "warn" | "bad" | "calm";

/** In the order of a life. */
export const STATES: Record<ShownState, [word: string, tone: Tone, meaning: string]> = {
  queued: ["Queued", "calm", "It waits for its turn"],
  sending: ["Uploading", "busy", "It is on its way from this browser to the peer"],
  hashing: ["Hashing", "busy", "Its digests are being computed; it is offered when they are done"],
  downloading: ["Downloading", "busy", "Chunks are arriving"],
  stalled: ["Stalled", "warn", "There are sources, but nothing is arriving from them"],
  no_sources: ["No sources", "warn", "Nobody who can be reached offers what is missing; it goes on by itself when somebody does"],
  verifying: ["Verifying", "busy", "What is on disk is being hashed again"],
  seeding: ["Sharing", "good", "It is complete and offered to others"],
  paused: ["Paused", "calm", "It neither fetches nor offers anything until it is resumed"],
  error: ["Error", "bad", "Something is wrong with it"],
};

/** And what to sort by. */
export const PRIORITIES: Record<Priority, [word: string, rank: number]> = {
  high: ["High", 2],
  normal: ["Normal", 1],
  low: ["Low", 0],
};

export function stateWord(state: ShownState): string {
  return STATES[state]?.[0] ?? state;
}

export function stateTone(state: ShownState): Tone {
  return STATES[state]?.[1] ?? "calm";
}

export function stateMeaning(state: ShownState): string {
  return STATES[state]?.[2] ?? "";
}

/** The state in a sentence, with the reason if it is an error. */
export function explained(state: ShownState, error: string): string {
  return error ? `${stateMeaning(state)}: ${error}` : stateMeaning(state);
}

/** Those that can be asked for something; a row stays when a source that gave something has gone. */
export function reachableSources(item: { state: ShownState; sources: SourceRow[] }): SourceRow[] {
  if (item.state === "no_sources") return [];
  return item.sources.filter((source) => source.state !== "gone" && source.chunks > 0);
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

/** What decides how fast an item comes or goes, as the peer calls it. */
const CAUSES: Record<string, string> = {
  complete: "It is complete",
  paused: "It is paused",
  error: "An error stopped it",
  disk: "The disk is busy with it",
  no_source: "Nobody offers what is missing",
  choked: "The sources have given no upload slot",
  credit: "The disk decides",
  rate_limit: "A speed limit decides",
  priority: "Other downloads come first",
  endgame: "The last chunks are on their way",
  silent: "The sources are silent",
  source: "The sources decide",
};

export function causeWord(cause: string): string {
  return CAUSES[cause] ?? cause;
}

const SOURCE_CAUSES: Record<string, string> = {
  refused: "Not asked",
  resting: "Resting",
  withheld: "Holds back",
  nothing: "Nothing missing",
  choked: "No slot yet",
  credit: "Our disk",
  rate_limit: "Our limit",
  priority: "Others first",
  busy: "Others first",
  endgame: "All asked for",
  silent: "Silent",
  sending: "Its own pace",
  idle: "Idle",
  blocked: "Blocked",
};

export function sourceCauseWord(cause: string): string {
  return SOURCE_CAUSES[cause] ?? cause;
}

/** A line of the peer without its advice for the command line: here there are buttons for that. */
export function withoutCommands(line: string): string {
  return line.replace(/; `shoal [^;]*/g, "");
}

const REPUTATION_EVENTS: Record<string, [word: string, tone: Tone]> = {
  SUCCESSFUL_UPLOAD: ["sent us verified data", "good"],
  SUCCESSFUL_DOWNLOAD: ["finished a download from us", "good"],
  REFUSED_UPLOAD: ["refused a chunk it had offered", "warn"],
  TIMED_OUT: ["sent nothing of a wanted chunk in time", "warn"],
  CORRUPTED_DATA: ["sent data that failed verification", "bad"],
  TOOK_DATA: ["took data from us", "calm"],
  MODEL_CHANGED: ["begins anew with another model", "calm"],
  DECAY: ["drifted back towards 0.5", "calm"],
};

const VERDICT_EVENTS: Record<string, string> = {
  TRUSTED: "you trusted it",
  BLOCKED: "you blocked it",
  CLEARED: "you took your verdict back",
};

export function eventWord(type: string): string {
  return REPUTATION_EVENTS[type]?.[0] ?? VERDICT_EVENTS[type] ?? type.toLowerCase().replaceAll("_", " ");
}

/** The event as a sentence: the score drifts, everything else is something that the peer did. */
export function eventSentence(type: string): string {
  if (!(type in REPUTATION_EVENTS)) return eventWord(type).replace(/^./, (first) => first.toUpperCase());
  return `${type === "DECAY" || type === "MODEL_CHANGED" ? "The score" : "It"} ${eventWord(type)}`;
}

/** Every kind of event that was seen, the most frequent first; empty if there was none. */
export function seenWords(events: Record<string, number>): string {
  const seen = Object.entries(events).filter(([, times]) => times > 0);
  seen.sort((one, other) => other[1] - one[1]);
  return seen.map(([type, times]) => `${eventWord(type)} (${times.toLocaleString()}×)`).join(", ");
}

export function eventTone(type: string): Tone {
  return REPUTATION_EVENTS[type]?.[1] ?? "calm";
}

const FLAGS: Record<string, string> = {
  newcomer: "newcomer: it has sent us nothing yet",
  refused: "refused: its score is too low to be served",
  banned: "banned for a while: it sent corrupted data",
  trusted: "trusted by you: it is never refused",
  blocked: "blocked by you: it gets nothing, and nothing is taken from it",
};

export function flagMeaning(flag: string): string {
  return FLAGS[flag] ?? flag;
}
