/**
 * Defines the layers of a frame. After each header follows another layer, a TCP segment, or something that is skipped. Octets
 * are views on the file.
 */

/** Names the protocol of a layer. */
export type LayerKind =
  | 'ethernet'
  | 'llc'
  | 'ip'
  | 'mpls'
  | 'ppp'
  | 'pppoe'
  | 'hdlc'
  | 'frame-relay'
  | 'gre'
  | 'nsh'
  | 'udp';

/** Holds octets to read as a protocol. */
export interface Layer {
  readonly kind: LayerKind;
  readonly data: Uint8Array;
}

/** Holds the TCP payload of an IP packet. `cutOff` octets of it are not in the capture. Addresses are canonical text. */
export interface TcpBytes {
  readonly kind: 'tcp';
  readonly src: string;
  readonly dst: string;
  readonly bytes: Uint8Array;
  readonly cutOff: number;
}

/** Describes an unreadable frame. `once`: report the text only once per file. */
export interface FrameProblem {
  readonly problem: string;
  readonly once?: boolean;
}

/** Describes a frame without a readable TCP segment. */
export interface PassedOver {
  /** The frame's content, such as `ARP` or `ESP (encrypted)`. */
  readonly other: string;
  /** True if it may contain TCP, and so BGP; false if it never does. */
  readonly unread: boolean;
}

/** The result of reading a header. */
export type LayerOutcome = Layer | TcpBytes | FrameProblem | PassedOver;

/** Returns the result for a protocol that never carries TCP. */
export function without(other: string): PassedOver {
  return { other, unread: false };
}

/** Returns the result for a protocol that may carry TCP but that this reader cannot read. */
export function unread(other: string): PassedOver {
  return { other, unread: true };
}

/** Returns the problem of a frame that ends within a header, named with its article: `a GRE header`. */
export function endsWithin(header: string): FrameProblem {
  return { problem: `the frame ends within ${header}` };
}

/** Returns a view with the bounds of the octets. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Formats `0x` and at least `digits` hexadecimal digits. */
export function hexNumber(value: number, digits = 4): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}
