// The search on the network: it outlives a look at another view.

import { api } from "./api";
import { route } from "./route.svelte";
import { toasts } from "./toasts.svelte";
import type { FoundContent } from "./types";

class Search {
  words = $state("");
  /** What the results are for. */
  searched = $state("");
  busy = $state(false);
  results = $state.raw<FoundContent[] | null>(null);

  readonly isLink = $derived(/^shoal:/i.test(this.words.trim()));

  /** Searches, or fetches what a link names. */
  async submit(): Promise<void> {
    const text = this.words.trim();
    if (!text || this.busy) return;
    this.busy = true;
    try {
      if (this.isLink) {
        await this.fetch(text);
        this.clear();
      } else {
        this.results = await api.search(text);
        this.searched = text;
        route.show("search");
      }
    } catch (error) {
      toasts.fail(error);
    } finally {
      this.busy = false;
    }
  }

  /** Raises ApiError. */
  async fetch(link: string): Promise<void> {
    await api.download({ link });
    toasts.show("info", "The download has started");
    route.show("transfers");
  }

  clear(): void {
    this.words = "";
    this.results = null;
  }
}

export const search = new Search();
