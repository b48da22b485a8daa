// Who sends to whom right now, as far as this peer knows: what it gets, from whom, and what it gives, to whom.

import * as format from "./format";
import type { OtherPeerRow } from "./types";

export interface Flow {
  /** The other peer's id; "others" for all that have no line of their own. */
  key: string;
  name: string;
  /** Bytes a second. */
  rate: number;
}

export interface Flows {
  into: Flow[];
  out: Flow[];
  /** Peers that are linked and move nothing. */
  idle: number;
}

const MOST_LINES = 8;

export function flowsOf(peers: readonly OtherPeerRow[]): Flows {
  const linked = peers.filter((peer) => peer.connected);
  return {
    into: lines(linked, (peer) => peer.down_rate),
    out: lines(linked, (peer) => peer.up_rate),
    idle: linked.filter((peer) => peer.down_rate <= 0 && peer.up_rate <= 0).length,
  };
}

function lines(peers: readonly OtherPeerRow[], rateOf: (peer: OtherPeerRow) => number): Flow[] {
  const moving = peers.filter((peer) => rateOf(peer) > 0).sort((one, other) => rateOf(other) - rateOf(one));
  const most = moving.length > MOST_LINES ? MOST_LINES - 1 : MOST_LINES;
  const shown = moving.slice(0, most).map((peer) => ({
    key: peer.peer,
    name: format.peerName(peer.peer, peer.name),
    rate: rateOf(peer),
  }));
  // By name, so that a line does not jump when rates pass one another.
  shown.sort((one, other) => one.name.localeCompare(other.name) || one.key.localeCompare(other.key));
  const rest = moving.slice(most);
  if (rest.length > 0) {
    const rate = rest.reduce((sum, peer) => sum + rateOf(peer), 0);
    shown.push({ key: "others", name: format.count(rest.length, "other"), rate });
  }
  return shown;
}

/** Pixels: ten times the rate is always as much thicker. */
export function thickness(rate: number): number {
  return Math.min(12, Math.max(1.5, 2.2 * Math.log10(rate / 256)));
}
