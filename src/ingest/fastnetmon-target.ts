/** What FastNetMon names as being under attack: an address, an address with a length, or a network. */
import { formatAddress, formatPrefix, makePrefix, parseAddress, unmapped } from '../net/prefix.ts';

/** Victim of a report. */
export interface Target {
  /** As in Detection: a canonical address, or the canonical prefix of more than one. */
  readonly victim: string;
  /** The address, or the first one of the prefix. */
  readonly address: string;
}

/**
 * Reads `203.0.113.5`, `203.0.113.5/32` or `203.0.113.0/24`. With bits set behind the length, `host` says that the address
 * itself is meant, and otherwise the network around it, which is how FastNetMon reads the networks of its groups.
 * Undefined when the text is none of these.
 */
export function readTarget(text: string, host: boolean): Target | undefined {
  const [addressText = '', lengthText, ...rest] = text.trim().split('/');
  const address = parseAddress(addressText);
  if (address === undefined || rest.length > 0) return undefined;
  const bits = address.length * 8;
  if (lengthText !== undefined && (!/^\d{1,3}$/.test(lengthText) || Number(lengthText) > bits))
    return undefined;
  const length = lengthText === undefined ? bits : Number(lengthText);
  const network = makePrefix(address, length);
  const hasHostBits = network.address.some((byte, i) => byte !== address[i]);
  const prefix = unmapped(host && hasHostBits ? makePrefix(address, bits) : network);
  const first = formatAddress(prefix.address);
  const isHost = prefix.length === prefix.address.length * 8;
  return { victim: isHost ? first : formatPrefix(prefix), address: first };
}
