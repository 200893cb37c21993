/** IP packets put together from their fragments (RFC 791 §3.2, RFC 8200 §4.5), in whatever order they were captured. */
import { sameBytes, toHex } from '../net/bytes.ts';

/** One IP packet, or a piece of one. */
export interface IpPacket {
  readonly version: 4 | 6;
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
  readonly protocol: number;
  /** What the capture has behind the headers, without padding of the link. */
  readonly payload: Uint8Array;
  /** Octets of the payload that are not in the capture. */
  readonly cutOff: number;
  /** A piece of a packet: its identification, where it belongs (in octets), and whether more follow. */
  readonly fragment?: { readonly id: number; readonly offset: number; readonly more: boolean };
}

/** A packet of which pieces are known, by their offset. */
interface Pending {
  readonly pieces: Map<number, Uint8Array>;
  /** Octets that the pieces hold. */
  held: number;
  /** Octets of the payload, once the last piece was seen. */
  length?: number;
  /** The first piece, which says what the packet carries. */
  first?: IpPacket;
}

/** The most that an IP packet carries; what a fragment claims beyond it belongs to none. */
const LONGEST = 65_535;

/** Fragments that wait for the rest of their packets. */
export class Fragments {
  readonly #waiting = new Map<string, Pending>();
  #lost = 0;

  /** How many pieces belong to no packet that was captured whole. */
  get left(): number {
    let count = this.#lost;
    for (const { pieces } of this.#waiting.values()) count += pieces.size;
    return count;
  }

  /**
   * Takes a fragment. Returns the packet when it was the last missing piece. A piece that a snap length cut completes
   * nothing: behind its octets there is a hole.
   */
  add(piece: IpPacket): IpPacket | undefined {
    const { fragment, payload } = piece;
    if (fragment === undefined) return piece;
    const end = fragment.offset + payload.length;
    if (end > LONGEST) {
      this.#lost++;
      return undefined;
    }
    const key = keyOf(piece, fragment.id);
    const pending = this.#pendingOf(key, fragment.offset, payload);
    if (pending === undefined) return undefined;
    pending.pieces.set(fragment.offset, payload);
    pending.held += payload.length;
    if (fragment.offset === 0) pending.first = piece;
    if (!fragment.more && piece.cutOff === 0) pending.length = end;
    const whole = assembled(pending);
    if (whole === undefined || pending.first === undefined) return undefined;
    this.#waiting.delete(key);
    const { version, src, dst, protocol } = pending.first;
    return { version, src, dst, protocol, payload: whole, cutOff: 0 };
  }

  /** Where a piece belongs; undefined for one that was captured twice. */
  #pendingOf(key: string, offset: number, payload: Uint8Array): Pending | undefined {
    const known = this.#waiting.get(key);
    const same = known?.pieces.get(offset);
    if (known !== undefined && same === undefined) return known;
    if (same !== undefined && sameBytes(same, payload)) return undefined;
    // Other octets at one place: the identification is used again, and the rest of the older packet was not captured.
    this.#lost += known?.pieces.size ?? 0;
    const fresh: Pending = { pieces: new Map(), held: 0 };
    this.#waiting.set(key, fresh);
    return fresh;
  }
}

/** RFC 791 §2.3 and RFC 8200 §4.5: the same addresses, and in IPv4 the same protocol, under one identification. */
function keyOf({ version, src, dst, protocol }: IpPacket, id: number): string {
  return `${toHex(src)} ${toHex(dst)} ${version === 4 ? protocol : 'IPv6'} ${id}`;
}

/** The payload, or undefined while there is a hole. Of octets that overlap those of the piece in front stay. */
function assembled({ pieces, held, length, first }: Pending): Uint8Array | undefined {
  if (length === undefined || first === undefined || held < length) return undefined;
  const payload = new Uint8Array(length);
  let filled = 0;
  for (const [offset, bytes] of [...pieces].sort(([a], [b]) => a - b)) {
    if (offset > filled) return undefined;
    const fresh = bytes.subarray(filled - offset, Math.max(0, length - offset));
    payload.set(fresh, filled);
    filled += fresh.length;
  }
  return filled === length ? payload : undefined;
}
