// REST calls. Every error of the gateway is a problem document, whose detail is the line to show.

import { session } from "./session.svelte";
import type {
  ContentEvent, ContentExplanation, ContentPieces, Explanation, FileHeld, FileListing, FileRow, FolderListing, FoundContent,
  LimitsInForce, LimitsPatch, Priority, RatesOverTime, SettingsShown, SharedAnswer, Span,
} from "./types";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
  ) {
    super(detail);
  }
}

interface Problem {
  status: number;
  code: string;
  detail: string;
}

/** The error of an answer: its problem document, or its status when something else answered. */
export function errorOf(status: number, body: string): ApiError {
  try {
    const problem = JSON.parse(body) as Problem;
    return new ApiError(status, problem.code, problem.detail);
  } catch {
    return new ApiError(status, "ERR_FAILURE", `the gateway answered with status ${status}`);
  }
}

/**
 * Names one request, which is then done once, however often it is sent: the header Idempotency-Key. (randomUUID is only
 * there under https and on localhost.)
 */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Milliseconds after which what is still being carried out under its key is asked for again; null if it is not. */
export function askAgainAfter(status: number, retryAfter: string | null): number | null {
  return status === 409 && retryAfter ? Number(retryAfter) * 1000 : null;
}

/** An answer and its text; asked for so many times while it is lost on its way. */
async function fetched(url: string, init: RequestInit, times: number): Promise<[Response, string]> {
  for (;;) {
    try {
      const response = await fetch(url, init);
      const delay = askAgainAfter(response.status, response.headers.get("Retry-After"));
      if (delay === null) return [response, await response.text()];
      await new Promise((done) => setTimeout(done, delay));
    } catch {
      if (--times < 1) throw new ApiError(0, "ERR_UNREACHABLE", "the page's server does not answer");
    }
  }
}

/** What each answer was tagged with. */
const tags = new WeakMap<object, string>();

/** With `seen`, an earlier answer, a change is refused (412) if that would be another one by now. */
async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal, seen?: object): Promise<T> {
  const headers: Record<string, string> = { Authorization: `Bearer ${session.token}` };
  const known = seen && tags.get(seen);
  if (known) headers["If-Match"] = known;
  const init: RequestInit = { method, headers, ...(signal && { signal }) };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  if (method === "POST") headers["Idempotency-Key"] = newKey();
  const [response, text] = await fetched(`/api/v1${path}`, init, method === "POST" ? 2 : 1);
  if (!response.ok) {
    const error = errorOf(response.status, text);
    if (error.code === "ERR_TOKEN" && session.token) session.refuse("The token is no longer valid.");
    throw error;
  }
  const answer = text ? JSON.parse(text) : undefined;
  const tag = response.headers.get("ETag");
  if (tag && answer instanceof Object) tags.set(answer, tag);
  return answer as T;
}

/** What to change of a share or download; what is not named stays as it is. Limits: bytes a second, 0 for none. */
export interface Patch {
  action?: "pause" | "resume" | "verify";
  priority?: Priority;
  /** Files and folders that get the priority; without any, the download as a whole. */
  paths?: string[];
  /** Files to fetch no more, and folders, of which what is not complete is fetched no more. */
  leave_out?: string[];
  sequential?: boolean;
  limits?: { up?: number; down?: number };
}

/** Results of a search, the best ones: as many as the server gives. */
export const MOST_FOUND = 200;

interface Listing<T> {
  items: T[];
  next_cursor: string | null;
}

/** How much is here of the first so many files. */
async function held(id: string, files: number): Promise<FileHeld[]> {
  const rows: FileHeld[] = [];
  for (let next: string | null = "0"; next !== null && rows.length < files; ) {
    const page: Listing<FileHeld> = await call("GET", `/contents/${id}/held?cursor=${next}`);
    rows.push(...page.items);
    next = page.next_cursor;
  }
  return rows;
}

export const api = {
  passwordOffered: () => call<{ password: boolean }>("GET", "/session").then((offer) => offer.password),
  login: (password: string) => call<{ token: string }>("POST", "/session", { password }).then((answer) => answer.token),
  search: (words: string, signal: AbortSignal) =>
    call<Listing<FoundContent>>(
      "GET", `/search?q=${encodeURIComponent(words)}&limit=${MOST_FOUND}`, undefined, signal,
    ).then((found) => found.items),
  sharePath: (path: string) => call<SharedAnswer>("POST", "/shares", { path }),
  unshare: (id: string, data: boolean) => call<void>("DELETE", `/shares/${id}?data=${data}`),
  changeShare: (id: string, patch: Patch) => call<void>("PATCH", `/shares/${id}`, patch),
  download: (wanted: { id?: string; link?: string; only?: string[] }) => call<{ id: string }>("POST", "/downloads", wanted),
  changeDownload: (id: string, patch: Patch) => call<void>("PATCH", `/downloads/${id}`, patch),
  remove: (id: string, data: boolean) => call<void>("DELETE", `/downloads/${id}?data=${data}`),
  files: (id: string, cursor: string) =>
    call<Listing<FileRow>>("GET", `/contents/${id}/files?cursor=${encodeURIComponent(cursor)}`),
  folders: (path: string) => call<FolderListing>("GET", `/folders?path=${encodeURIComponent(path)}`),
  /** Of a content that need not be here: the peer fetches its list of files first. */
  look: (id: string, link: string, cursor: string, signal: AbortSignal) =>
    call<FileListing>(
      "GET", `/contents/${id}/files?limit=5000&cursor=${cursor}&link=${encodeURIComponent(link)}`, undefined, signal,
    ),
  rates: (span: Span) => call<RatesOverTime>("GET", `/rates?span=${span}`),
  ratesOf: (id: string, span: Span) => call<RatesOverTime>("GET", `/contents/${id}/rates?span=${span}`),
  /** What happened to it, oldest first. */
  eventsOf: (id: string) => call<Listing<ContentEvent>>("GET", `/contents/${id}/events`).then((told) => told.items),
  pieces: (id: string) => call<ContentPieces>("GET", `/contents/${id}/pieces`),
  held,
  /** What lets the browser itself read the bytes of a content for an hour. */
  ticket: (id: string) => call<{ url: string }>("POST", `/contents/${id}/tickets`),
  fetchMore: (id: string, only: string[]) => call<void>("POST", "/downloads", { id, only }),
  explainContent: (id: string) => call<ContentExplanation>("GET", `/contents/${id}/explanation`),
  explain: (peer: string) => call<Explanation>("GET", `/reputation/${peer}`),
  judge: (peer: string, verdict: "trusted" | "blocked" | null) =>
    call<void>("PATCH", `/reputation/${peer}`, { verdict }),
  forget: (peer: string) => call<void>("DELETE", `/reputation/${peer}`),
  settings: () => call<SettingsShown>("GET", "/settings"),
  changeSettings: (patch: Record<string, string | number | boolean>, seen: SettingsShown) =>
    call<SettingsShown>("PATCH", "/settings", patch, undefined, seen),
  limits: () => call<LimitsInForce>("GET", "/limits"),
  changeLimits: (limits: LimitsPatch) => call<LimitsInForce>("PATCH", "/limits", limits),
};
