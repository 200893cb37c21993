/** Reads Ethernet frames and their EtherTypes (IEEE 802 Numbers of IANA): tags, LLC, SNAP, and the layers after them. */
import type { Layer, LayerKind, LayerOutcome } from './layer.ts';
import { endsWithin, hexNumber, unread, viewOf, without } from './layer.ts';

/** Maps EtherTypes to the layer that follows directly. For IP, the packet's own version counts. */
const LAYERS: ReadonlyMap<number, LayerKind> = new Map([
  [0x0800, 'ip'],
  [0x86dd, 'ip'],
  [0x8847, 'mpls'], // RFC 3032 §5
  [0x8848, 'mpls'],
  [0x8864, 'pppoe'], // RFC 2516 §4
  [0x880b, 'ppp'],
  [0x6558, 'ethernet'], // Transparent Ethernet Bridging
  [0x894f, 'nsh'], // RFC 8300
]);

/** Maps tags to the number of octets between their EtherType and the next EtherType. */
const TAGS: ReadonlyMap<number, readonly [octets: number, name: string]> = new Map([
  [0x8100, [2, 'a VLAN tag']], // IEEE 802.1Q
  [0x88a8, [2, 'a VLAN tag']], // IEEE 802.1ad (QinQ)
  [0x9100, [2, 'a VLAN tag']], // older QinQ values
  [0x9200, [2, 'a VLAN tag']],
  [0x9300, [2, 'a VLAN tag']],
  [0x893f, [6, 'an E-TAG']], // IEEE 802.1BR
  [0x8926, [4, 'a VN-Tag']],
  [0x8909, [6, 'a Cisco metadata tag']],
]);

/** Names the link protocols that carry no IP. */
const WITHOUT_IP: ReadonlyMap<number, string> = new Map([
  [0x0806, 'ARP'],
  [0x8035, 'RARP'],
  [0x8808, 'Ethernet flow control'],
  [0x8809, 'LACP and other slow protocols'],
  [0x8863, 'PPPoE discovery'],
  [0x888e, 'EAPOL'],
  [0x88cc, 'LLDP'],
  [0x88f7, 'PTP'],
  [0x8902, 'CFM'],
  [0x9000, 'Ethernet loopback'],
]);

const MAC_IN_MAC = 0x88e7;
const MACSEC = 0x88e5;
/** Smaller values are a length, and LLC follows (IEEE 802.3 §3.2.6). */
const FIRST_ETHERTYPE = 0x0600;
const TYPE_OFFSET = 12;

/** Reads an Ethernet frame, from the destination address on. */
export function readEthernet(data: Uint8Array): LayerOutcome {
  return readEtherType(data, TYPE_OFFSET);
}

/** Reads the EtherType at `at`, and the payload after it or at `payload`. */
export function readEtherType(data: Uint8Array, at: number, payload = at + 2): LayerOutcome {
  if (data.length < payload) return { problem: `a frame of ${data.length} octets is too short for its link` };
  const view = viewOf(data);
  let type = view.getUint16(at);
  let start = payload;
  for (let tag = TAGS.get(type); tag !== undefined; tag = TAGS.get(type)) {
    const [octets, name] = tag;
    if (data.length < start + octets + 2) return endsWithin(name);
    type = view.getUint16(start + octets);
    start += octets + 2;
  }
  return behindEtherType(type, data.subarray(start));
}

/** Returns the layer that an EtherType names; GRE and others use EtherTypes, too. */
export function behindEtherType(type: number, data: Uint8Array): LayerOutcome {
  const kind = LAYERS.get(type);
  if (kind !== undefined) return { kind, data };
  if (type < FIRST_ETHERTYPE) return { kind: 'llc', data };
  if (type === MACSEC) return readMacsec(data);
  // A service tag of 4 octets, then the customer's frame (IEEE 802.1ah).
  if (type === MAC_IN_MAC) return { kind: 'ethernet', data: data.subarray(4) };
  const other = WITHOUT_IP.get(type);
  return other === undefined ? unread(`EtherType ${hexNumber(type)}`) : without(other);
}

/** Reads a MACsec tag (IEEE 802.1AE §9). In frames that are only signed, an EtherType follows; encrypted ones are unreadable. */
function readMacsec(data: Uint8Array): LayerOutcome {
  const flags = data[0];
  if (flags === undefined) return endsWithin('a MACsec tag');
  const encrypted = (flags & 0x0c) !== 0;
  if (encrypted) return unread('MACsec (encrypted)');
  const hasChannel = (flags & 0x20) !== 0;
  return readEtherType(data, hasChannel ? 14 : 6);
}

const SNAP_ETHERNET: ReadonlySet<number> = new Set([0x000000, 0x0000f8]);
/** Bridged Ethernet, with and without its frame check sequence (RFC 2684 §5.2). */
const SNAP_BRIDGED = 0x0080c2;
const BRIDGED_ETHERNET: ReadonlySet<number> = new Set([0x0001, 0x0007]);

/** Reads LLC (IEEE 802.2), with SNAP and the NLPID form of RFC 2684. */
export function readLlc(data: Uint8Array): LayerOutcome {
  if (data.length < 3) return endsWithin('an LLC header');
  const view = viewOf(data);
  const points = view.getUint16(0);
  if (points === 0xaaaa) {
    if (data.length < 8) return endsWithin('a SNAP header');
    const organization = (view.getUint8(3) << 16) | view.getUint16(4);
    const protocol = view.getUint16(6);
    if (SNAP_ETHERNET.has(organization)) return behindEtherType(protocol, data.subarray(8));
    if (organization === SNAP_BRIDGED && BRIDGED_ETHERNET.has(protocol)) {
      return { kind: 'ethernet', data: data.subarray(10) };
    }
    return without('SNAP protocols of vendors');
  }
  if (points === 0xfefe) return readNlpid(data.subarray(3));
  if (points === 0x0606) return { kind: 'ip', data: data.subarray(3) };
  if (points === 0x4242) return without('spanning tree');
  return without('LLC without IP');
}

const NLPIDS: ReadonlyMap<number, LayerKind> = new Map([
  [0xcc, 'ip'],
  [0x8e, 'ip'],
  [0xcf, 'ppp'],
]);
const NLPID_SNAP = 0x80;

/** Reads an NLPID and the network layer that it names (RFC 2427 §4, RFC 2684 §4). */
export function readNlpid(data: Uint8Array): LayerOutcome {
  const id = data[0];
  if (id === undefined) return endsWithin('an NLPID');
  const kind = NLPIDS.get(id);
  if (kind !== undefined) return { kind, data: data.subarray(1) };
  // An organization of 3 octets, then a protocol of 2 (RFC 2427 §4.1).
  return id === NLPID_SNAP ? readEtherType(data, 4) : without('OSI protocols such as IS-IS');
}

/** Returns true if the octets may be an Ethernet frame: the EtherType is a known protocol or a tag. */
export function looksLikeEthernet(data: Uint8Array): boolean {
  if (data.length < TYPE_OFFSET + 2) return false;
  const type = viewOf(data).getUint16(TYPE_OFFSET);
  return LAYERS.has(type) || TAGS.has(type) || WITHOUT_IP.has(type);
}

/** Guesses the layer of octets without a protocol field: IP or Ethernet, if they look like one. */
export function guessed(data: Uint8Array, looksLikeIp: (data: Uint8Array) => boolean): Layer | undefined {
  if (looksLikeIp(data)) return { kind: 'ip', data };
  return looksLikeEthernet(data) ? { kind: 'ethernet', data } : undefined;
}
