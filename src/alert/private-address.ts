/** Addresses that are not the public Internet's: an alert must not become a way into the operator's own network. */
import { parseAddress } from '../net/prefix.ts';
import { notGlobal } from '../net/special-addresses.ts';

/** True for loopback, private, link-local, multicast and reserved addresses, in any disguise; and for what is no address. */
export function isPrivateAddress(text: string): boolean {
  const zone = text.indexOf('%');
  const address = parseAddress(zone < 0 ? text : text.slice(0, zone));
  return address === undefined || notGlobal(address) !== undefined;
}

/**
 * True when a host as a URL names it (`10.0.0.1`, `[::1]`, `hooks.example`) is private without any look-up: an address
 * that is, or a name of this machine (RFC 6761 §6.3). Other names are judged by what they resolve to.
 */
export function isPrivateHost(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  const name = bare.toLowerCase().replace(/\.$/, '');
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  return parseAddress(bare.split('%', 1)[0] ?? bare) !== undefined && isPrivateAddress(bare);
}
