// The search on the network, as one types: it outlives a look at another view.

import { api, ApiError } from "./api";
import { preview } from "./preview.svelte";
import { referenceIn } from "./reference";
import { route } from "./route.svelte";
import type { FoundContent } from "./types";

/** Milliseconds without a key after which the network is asked. */
const PAUSE = 200;

class Search {
  words = $state("");
  /** What the results, or the failure, are for. */
  searched = $state("");
  busy = $state(false);
  results = $state.raw<FoundContent[] | null>(null);
  failure = $state.raw<ApiError | null>(null);

  /** What a pasted link or id names. */
  readonly reference = $derived(referenceIn(this.words));

  private timer: ReturnType<typeof setTimeout> | undefined;
  private stop = new AbortController();

  /** The words changed. */
  typed(): void {
    clearTimeout(this.timer);
    if (this.reference) this.forget();
    else if (this.words.trim()) this.timer = setTimeout(() => void this.ask(), PAUSE);
    else this.clear();
  }

  /** Searches at once, or opens what a link or id names. */
  submit(): void {
    clearTimeout(this.timer);
    if (this.reference) {
      preview.open(this.reference);
      this.clear();
    } else if (this.words.trim()) void this.ask();
  }

  clear(): void {
    clearTimeout(this.timer);
    this.words = "";
    this.forget();
  }

  private forget(): void {
    this.stop.abort();
    this.busy = false;
    this.results = null;
    this.failure = null;
    this.searched = "";
  }

  private async ask(): Promise<void> {
    const words = this.words.trim();
    // Whatever was asked before does not matter any more.
    this.stop.abort();
    const { signal } = (this.stop = new AbortController());
    this.busy = true;
    route.show("search");
    try {
      const results = await api.search(words, signal);
      if (signal.aborted) return;
      this.results = results;
      this.failure = null;
    } catch (error) {
      if (signal.aborted) return;
      this.results = null;
      this.failure = error instanceof ApiError ? error : new ApiError(0, "ERR_FAILURE", String(error));
    }
    this.searched = words;
    this.busy = false;
  }
}

export const search = new Search();
