// A look into a content before anything of it is fetched: its list of files comes through the peer, page by page.

import { api, ApiError } from "./api";
import { FileTree } from "./tree";

export interface Wanted {
  id: string;
  link?: string;
  name?: string;
}

const MOST_PATHS = 1000;
/** A request's body may have 64 KiB. */
const MOST_BYTES = 60_000;

class Preview {
  wanted = $state.raw<Wanted | null>(null);
  /** Goes up with every change of the tree. */
  version = $state(0);
  name = $state("");
  kind = $state("");
  size = $state(0);
  /** Files in all; 0 until the first of them came. */
  total = $state(0);
  loaded = $state(0);
  failure = $state.raw<ApiError | null>(null);
  tree = new FileTree();

  private stop = new AbortController();

  readonly complete = $derived(this.total > 0 && this.loaded >= this.total);

  open(wanted: Wanted): void {
    this.stop.abort();
    this.stop = new AbortController();
    this.wanted = wanted;
    this.name = wanted.name ?? "";
    this.kind = "";
    this.size = this.total = this.loaded = 0;
    this.failure = null;
    this.tree = new FileTree();
    this.version += 1;
    void this.load(wanted, this.stop.signal);
  }

  close(): void {
    this.stop.abort();
    this.wanted = null;
    this.tree = new FileTree();
  }

  /** What to send with the download; a text says why it cannot be asked for like that. */
  get only(): string[] | string {
    void this.version;
    const paths = this.tree.only();
    if (this.tree.root.chosenFiles === 0) return "Nothing is chosen.";
    const bytes = new TextEncoder().encode(JSON.stringify(paths)).length;
    if (paths.length > MOST_PATHS || bytes > MOST_BYTES) {
      return `These are too many single files for one request (at most ${MOST_PATHS.toLocaleString()}): choose whole folders.`;
    }
    return paths;
  }

  private async load(wanted: Wanted, signal: AbortSignal): Promise<void> {
    try {
      for (let cursor: string | null = "0"; cursor !== null; ) {
        const page = await api.look(wanted.id, wanted.link ?? "", cursor, signal);
        if (signal.aborted) return;
        this.name = page.name || this.name;
        this.kind = page.kind;
        this.size = page.size;
        this.total = page.files;
        this.tree.add(page.items);
        this.loaded += page.items.length;
        this.version += 1;
        cursor = page.next_cursor;
      }
    } catch (error) {
      if (signal.aborted) return;
      this.failure = error instanceof ApiError ? error : new ApiError(0, "ERR_FAILURE", String(error));
    }
  }
}

export const preview = new Preview();
