/**
 * The far end of every measurement: a BGP peer that answers OPEN and KEEPALIVE and counts FlowSpec NLRI, doing as little
 * else as it can, so that what is measured is the sender. Runs in a process of its own; talks to its parent in messages.
 */
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { FAMILIES } from '../src/bgp/wire/iana.ts';
import { decodeMessage, encodeMessage } from '../src/bgp/wire/message.ts';
import { INITIAL_CONTEXT } from '../src/bgp/wire/types.ts';

/** Options of the process, as JSON in its first argument. */
export interface SinkOptions {
  /** Listens here, or dials from here. */
  readonly host: string;
  readonly asn: number;
  /** Listens at these addresses, too, on the same port: neighbors are told apart by their address. */
  readonly also?: readonly string[];
  /** A daemon that waits to be called. */
  readonly dial?: { readonly host: string; readonly port: number };
}

/** Messages to the parent. Times are nanoseconds of the monotonic clock, which all processes of a machine share. */
export type SinkReport =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'established'; readonly at: string }
  /** `expect` has been heard. */
  | { readonly type: 'expecting' }
  /** The count of NLRI, announced and withdrawn together, of all sessions has reached what was asked for. */
  | {
      readonly type: 'reached';
      readonly nlri: number;
      readonly updates: number;
      readonly octets: number;
      /** The arrival time of the first one. */
      readonly firstAt: string;
      readonly at: string;
    }
  | { readonly type: 'closed' };

/** Messages from the parent. `expect` counts from zero; `drop` resets every connection. */
export type SinkRequest = { readonly type: 'expect'; readonly nlri: number } | { readonly type: 'drop' };

const HEADER = 19;
const REDIAL_MS = 50;
const options: SinkOptions = JSON.parse(process.argv[2] ?? '{}');

const sockets = new Set<Socket>();
let target = Number.POSITIVE_INFINITY;
let nlri = 0;
let updates = 0;
let octets = 0;
let firstAt = '';

function tell(report: SinkReport): void {
  process.send?.(report);
}

function now(): string {
  return String(process.hrtime.bigint());
}

process.on('message', (request: SinkRequest) => {
  if (request.type === 'drop') {
    for (const socket of sockets) socket.resetAndDestroy();
    return;
  }
  target = request.nlri;
  nlri = 0;
  updates = 0;
  octets = 0;
  tell({ type: 'expecting' });
});
process.on('disconnect', () => process.exit(0));

function serve(socket: Socket): void {
  let rest = Buffer.alloc(0);
  let up = false;
  sockets.add(socket);
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('close', () => {
    sockets.delete(socket);
    if (up) tell({ type: 'closed' });
    if (options.dial !== undefined) setTimeout(dial, REDIAL_MS);
  });
  socket.on('data', (chunk) => {
    let buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (buffer.length >= HEADER) {
      const length = buffer.readUInt16BE(16);
      if (buffer.length < length) break;
      const message = buffer.subarray(0, length);
      if (message[18] === 2) count(message);
      else if (message[18] === 1) {
        socket.write(answerTo(message));
        socket.write(encodeMessage({ type: 'keepalive' }, INITIAL_CONTEXT));
      } else if (message[18] === 4 && !up) {
        up = true;
        tell({ type: 'established', at: now() });
      } else if (message[18] === 4) socket.write(encodeMessage({ type: 'keepalive' }, INITIAL_CONTEXT));
      buffer = buffer.subarray(length);
    }
    rest = buffer;
  });
}

/** An OPEN that agrees to what the sender offers. */
function answerTo(open: Buffer): Uint8Array {
  const theirs = decodeMessage(open, INITIAL_CONTEXT);
  if (theirs.type !== 'open') throw new Error('not an OPEN');
  const families = Object.values(FAMILIES).filter((family) =>
    theirs.capabilities.some(
      (one) =>
        one.type === 'multiprotocol' && one.family.afi === family.afi && one.family.safi === family.safi,
    ),
  );
  return encodeMessage(
    {
      type: 'open',
      version: 4,
      myAs: options.asn,
      holdTime: 240,
      bgpIdentifier: 0x0a000001,
      capabilities: [
        ...families.map((family) => ({ type: 'multiprotocol', family }) as const),
        { type: 'four-octet-as', asn: options.asn },
      ],
    },
    INITIAL_CONTEXT,
  );
}

/** Counts NLRI of MP_REACH and MP_UNREACH by their length octets (RFC 8955 §4.1). End-of-RIB is not an UPDATE here. */
function count(message: Buffer): void {
  const before = nlri;
  let at = HEADER + 2 + message.readUInt16BE(HEADER);
  const end = at + 2 + message.readUInt16BE(at);
  at += 2;
  while (at < end) {
    const extended = ((message[at] ?? 0) & 0x10) !== 0;
    const type = message[at + 1];
    const length = extended ? message.readUInt16BE(at + 2) : message.readUInt8(at + 2);
    const value = at + (extended ? 4 : 3);
    if (type === 14) nlri += countNlri(message, value + 5 + message.readUInt8(value + 3), value + length);
    if (type === 15) nlri += countNlri(message, value + 3, value + length);
    at = value + length;
  }
  if (nlri === before) return;
  if (before === 0) firstAt = now();
  updates++;
  octets += message.length;
  if (nlri >= target) {
    target = Number.POSITIVE_INFINITY;
    tell({ type: 'reached', nlri, updates, octets, firstAt, at: now() });
  }
}

function countNlri(message: Buffer, from: number, end: number): number {
  let found = 0;
  for (let at = from; at < end; found++) {
    const first = message[at] ?? 0;
    at += first < 0xf0 ? 1 + first : 2 + (((first & 0x0f) << 8) | (message[at + 1] ?? 0));
  }
  return found;
}

function dial(): void {
  if (options.dial !== undefined) serve(connect({ ...options.dial, localAddress: options.host }));
}

function listen(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer(serve);
    server.on('error', reject);
    server.listen(port, host, () => {
      const address = server.address();
      if (address !== null && typeof address === 'object') resolve(address.port);
    });
  });
}

if (options.dial === undefined) {
  const port = await listen(options.host, 0);
  for (const host of options.also ?? []) await listen(host, port);
  tell({ type: 'listening', port });
} else {
  dial();
}
