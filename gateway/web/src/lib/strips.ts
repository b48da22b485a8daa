// Maps of a content's parts, as the peer tells them: hex, a byte for each part.

export function levelsOf(strip: string): number[] {
  return strip.match(/../g)?.map((byte) => parseInt(byte, 16)) ?? [];
}

/** How many linked peers have the rarest part, and the share of the parts of which nobody linked has all. */
export function rarityOf(copies: string): { fewest: number; nobody: number } {
  const levels = levelsOf(copies);
  return {
    fewest: levels.reduce((least, level) => Math.min(least, level), Infinity),
    nobody: levels.filter((level) => level === 0).length / Math.max(1, levels.length),
  };
}
