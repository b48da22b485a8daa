// What this browser remembers of the page's looks between visits. Storage may be off, or hold what another version wrote.

export function recall(name: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(`shoal.${name}`) ?? "null");
  } catch {
    return null;
  }
}

export function remember(name: string, value: unknown): void {
  try {
    localStorage.setItem(`shoal.${name}`, JSON.stringify(value));
  } catch {
    // Storage that is full or off forgets; nothing else breaks.
  }
}
