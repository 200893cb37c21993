/**
 * What a frame is taken apart into. Each header says what follows it: another layer to read, a TCP segment, or something
 * that is passed over. Octets are views on the file.
 */

/** A protocol header and what it carries, by the protocol that its first octets belong to. */
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

/** Octets that wait to be read as a protocol. */
export interface Layer {
  readonly kind: LayerKind;
  readonly data: Uint8Array;
}

/** An IP payload that says it is TCP. `cutOff` octets of it are not in the capture. Addresses are canonical text. */
export interface TcpBytes {
  readonly kind: 'tcp';
  readonly src: string;
  readonly dst: string;
  readonly bytes: Uint8Array;
  readonly cutOff: number;
}

/** A frame that could not be read as it claims to be. `once` is a text that need be reported only once a file. */
export interface FrameProblem {
  readonly problem: string;
  readonly once?: boolean;
}

/** A frame without a TCP segment that can be read. */
export interface PassedOver {
  /** What it carries instead, such as `ARP` or `ESP (encrypted)`. */
  readonly other: string;
  /** True when TCP, and so BGP, may be inside of it; false for what never carries any. */
  readonly unread: boolean;
}

/** What follows a header. */
export type Outcome = Layer | TcpBytes | FrameProblem | PassedOver;

/** A protocol that never carries TCP. */
export function without(other: string): PassedOver {
  return { other, unread: false };
}

/** A protocol that this reader does not read and that may carry TCP. */
export function unread(other: string): PassedOver {
  return { other, unread: true };
}

/** A frame that ends within a header, named with its article: `a GRE header`. */
export function endsWithin(header: string): FrameProblem {
  return { problem: `the frame ends within ${header}` };
}

/** A view with the octets' own bounds. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** `0x` and at least `digits` hexadecimal digits. */
export function hexNumber(value: number, digits = 4): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}
