// What a user may paste: a link, or the id of a content. And what of a name a search's words match.

import type { Wanted } from "./preview.svelte";

const LINK = /shoal:([0-9a-f]{64})(?:\?[^\s"'<>]*)?/i;
const ID = /^[0-9a-f]{64}$/i;

/** The content that a text names, on its own or in the middle of a message; null if there is none. */
export function referenceIn(text: string): Wanted | null {
  const trimmed = text.trim();
  if (ID.test(trimmed)) return { id: trimmed.toLowerCase() };
  const found = LINK.exec(trimmed);
  if (!found?.[1]) return null;
  const wanted: Wanted = { id: found[1].toLowerCase(), link: found[0] };
  const name = new URLSearchParams(found[0].split("?")[1] ?? "").get("name");
  return name ? { ...wanted, name } : wanted;
}

export interface Piece {
  text: string;
  hit: boolean;
}

/** A name cut where the words of a search begin and end. */
export function marked(name: string, searched: string): Piece[] {
  const folded = name.toLowerCase();
  // A letter whose lower case is longer would shift the places: then nothing is marked.
  const words = folded.length === name.length ? searched.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter(Boolean) : [];
  const hits = new Uint8Array(name.length);
  for (const word of words) {
    for (let at = folded.indexOf(word); at >= 0; at = folded.indexOf(word, at + 1)) hits.fill(1, at, at + word.length);
  }
  const pieces: Piece[] = [];
  for (let from = 0, to = 1; from < name.length; from = to, to += 1) {
    while (to < name.length && hits[to] === hits[from]) to += 1;
    pieces.push({ text: name.slice(from, to), hit: hits[from] === 1 });
  }
  return pieces;
}
