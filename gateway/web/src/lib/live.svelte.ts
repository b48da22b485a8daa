// The page's state: one snapshot, then changes, over one WebSocket.
//
// Every frame is acknowledged, and the gateway sends the next one only then. After an interruption the page says which
// state it has and gets what it missed; a frame that does not follow makes it ask for everything again.
//
// What can be long (shares, downloads, uploads) goes to `items`, which changes in place; the rest is few rows, and is
// replaced.
//
// The gateway says something at least once a second, if only `beat`. Who hears nothing is cut off, which TCP would tell
// only much later: a server that hangs, a cable that was pulled.

import { io, type Socket } from "socket.io-client";
import { items } from "./items.svelte";
import { session } from "./session.svelte";
import { toasts } from "./toasts.svelte";
import type { Changes, EventsFrame, Notice, PageState, Snapshot } from "./types";

/** Silent: the connection stands, and nothing comes. */
export type Connection = "connecting" | "live" | "silent" | "lost";

const SILENCE_MS = 2500;

function nothing(): PageState {
  return { peer: {}, tracker: {}, shares: {}, hashing: {}, downloads: {}, uploads: {}, peers: {}, reputation: {} };
}

interface Refusal extends Error {
  data?: { code?: string };
}

class Live {
  connection = $state<Connection>("connecting");
  /** Whether there has been a snapshot since the page was opened. */
  ready = $state(false);
  // Rows are replaced, never changed, so only what differs is drawn again.
  peer = $state.raw<PageState["peer"]>({});
  tracker = $state.raw<PageState["tracker"]>({});
  peers = $state.raw<PageState["peers"]>({});
  reputation = $state.raw<PageState["reputation"]>({});

  private epoch = "";
  private seq = 0;
  private socket: Socket | null = null;
  private watch: ReturnType<typeof setTimeout> | undefined;
  private tapped: { topic: string; hear: (frame: EventsFrame) => void } | null = null;

  open(): void {
    this.close();
    const socket = io({
      transports: ["websocket"],
      auth: (give) => give({ token: session.token, epoch: this.epoch, seq: this.seq }),
      reconnectionDelay: 300,
      reconnectionDelayMax: 1500,
    });
    this.socket = socket;
    this.connection = "connecting";
    socket.on("connect", () => {
      if (this.tapped) socket.emit("tap", { topic: this.tapped.topic });
    });
    socket.onAny(() => this.hear());
    socket.on("disconnect", (reason) => this.lost(socket, reason));
    socket.on("connect_error", (refusal: Refusal) => this.refused(socket, refusal));
    socket.on("snapshot", (frame: Snapshot, got?: () => void) => this.replace(frame, got));
    socket.on("changes", (frame: Changes, got?: () => void) => this.apply(frame, got));
    socket.on("events", (frame: EventsFrame, got?: () => void) => {
      this.tapped?.hear(frame);
      got?.();
    });
    socket.on("beat", (got?: () => void) => got?.());
    socket.on("notice", (notice: Notice, got?: () => void) => {
      toasts.show(notice.level, notice.text, notice.code);
      got?.();
    });
  }

  close(): void {
    this.socket?.close();
    this.socket = null;
    clearTimeout(this.watch);
    this.forget();
    this.ready = false;
    this.take(nothing());
  }

  /** Have the peer's events told whose type begins with a topic. */
  tap(topic: string, hear: (frame: EventsFrame) => void): void {
    this.tapped = { topic, hear };
    if (this.socket?.connected) this.socket.emit("tap", { topic });
  }

  untap(): void {
    this.tapped = null;
    if (this.socket?.connected) this.socket.emit("untap");
  }

  /** The server is there: it has said something. */
  private hear(): void {
    this.connection = "live";
    clearTimeout(this.watch);
    // In two steps, so that a page that stood still itself hears what has come meanwhile before it judges.
    const judge = (): void => {
      this.connection = "silent";
    };
    this.watch = setTimeout(() => (this.watch = setTimeout(judge, SILENCE_MS / 10)), 0.9 * SILENCE_MS);
  }

  private lost(socket: Socket, reason: Socket.DisconnectReason): void {
    if (reason === "io client disconnect") return; // whoever closes it here says what comes next
    this.connection = "lost";
    clearTimeout(this.watch);
    // The library dials again by itself, but not after the server has closed the connection on purpose.
    if (this.socket === socket && !socket.active) setTimeout(() => socket.connect(), 100);
  }

  private refused(socket: Socket, refusal: Refusal): void {
    if (this.connection !== "connecting" || this.ready) this.connection = "lost";
    if (refusal.data?.code === "ERR_TOKEN") {
      socket.close();
      session.refuse("This token was refused. Take a new link from the terminal.");
    } else if (refusal.data && this.socket === socket) {
      setTimeout(() => socket.connect(), 3000);
    }
  }

  private replace(frame: Snapshot, got?: () => void): void {
    this.epoch = frame.epoch;
    this.seq = frame.seq;
    this.take(frame.state);
    this.ready = true;
    got?.();
  }

  private apply(frame: Changes, got?: () => void): void {
    if (frame.epoch !== this.epoch || frame.base !== this.seq) {
      this.forget();
      this.socket?.disconnect().connect();
      return;
    }
    this.seq = frame.seq;
    const { set, remove } = frame;
    this.peer = changed(this.peer, set.peer, remove.peer);
    this.tracker = changed(this.tracker, set.tracker, remove.tracker);
    this.peers = changed(this.peers, set.peers, remove.peers);
    this.reputation = changed(this.reputation, set.reputation, remove.reputation);
    items.apply(set, remove);
    got?.();
  }

  private take(state: PageState): void {
    this.peer = state.peer;
    this.tracker = state.tracker;
    this.peers = state.peers;
    this.reputation = state.reputation;
    items.replace(state);
  }

  private forget(): void {
    this.epoch = "";
    this.seq = 0;
  }
}

type Rows<R> = Record<string, R>;

function changed<R>(rows: Rows<R>, set: Rows<R> | undefined, remove: string[] | undefined): Rows<R> {
  if (!set && !remove) return rows;
  const after = { ...rows, ...set };
  for (const key of remove ?? []) delete after[key];
  return after;
}

export const live = new Live();
