// Asks again and again while somebody looks: what is only told on request.

/**
 * Asks at once and then every so many milliseconds after an answer, unless the page is hidden. Returns what ends it; no
 * answer comes after that.
 */
export function poll<T>(
  ask: () => Promise<T>,
  every: number,
  take: (answer: T) => void,
  fail: (line: string) => void,
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;
  let asking = false;

  async function once(): Promise<void> {
    clearTimeout(timer);
    if (asking || document.hidden) return;
    asking = true;
    try {
      const answer = await ask();
      if (!ended) take(answer);
    } catch (error) {
      if (!ended) fail(error instanceof Error ? error.message : String(error));
    }
    asking = false;
    if (!ended) timer = setTimeout(once, every);
  }

  document.addEventListener("visibilitychange", once);
  void once();
  return () => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", once);
  };
}
