/**
 * The far end of every measurement: a BGP peer that answers OPEN and KEEPALIVE and counts FlowSpec NLRI, doing as little
 * else as it can, so that what is measured is the sender. Runs in a process of its own; talks to its parent in messages.
 */
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { decodeMessage, encodeMessage } from '../src/bgp/wire/message.ts';
import { FAMILIES } from '../src/bgp/wire/iana.ts';
import { INITIAL_CONTEXT } from '../src/bgp/wire/types.ts';

/** What the sink tells its parent. Times are nanoseconds of the monotonic clock, which processes of one machine share. */
export type SinkReport =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'established' }
  /** The count of NLRI, announced and withdrawn together, has reached what was asked for. */
  | { readonly type: 'reached'; readonly nlri: number; readonly updates: number; readonly octets: number; readonly at: string }
  | { readonly type: 'closed' };

/** What the parent asks. `expect` counts from zero; `drop` cuts the connection. */
export type SinkRequest = { readonly type: 'expect'; readonly nlri: number } | { readonly type: 'drop' };

const HEADER = 19;
const host = process.argv[2] ?? '127.0.0.1';
const asn = Number(process.argv[3] ?? 65001);

let target = Number.POSITIVE_INFINITY;
let nlri = 0;
let updates = 0;
let octets = 0;
let current: Socket | null = null;

function tell(report: SinkReport): void {
  process.send?.(report);
}

process.on('message', (request: SinkRequest) => {
  if (request.type === 'drop') {
    current?.resetAndDestroy();
    return;
  }
  target = request.nlri;
  nlri = 0;
  updates = 0;
  octets = 0;
});
process.on('disconnect', () => process.exit(0));

const server = createServer({ noDelay: true }, (socket) => {
  current = socket;
  let rest = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('close', () => tell({ type: 'closed' }));
  socket.on('data', (chunk) => {
    let buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (buffer.length >= HEADER) {
      const length = buffer.readUInt16BE(16);
      if (buffer.length < length) break;
      handle(socket, buffer.subarray(0, length));
      buffer = buffer.subarray(length);
    }
    rest = buffer;
  });
});

function handle(socket: Socket, message: Buffer): void {
  switch (message[18]) {
    case 1:
      socket.write(answerTo(message));
      socket.write(encodeMessage({ type: 'keepalive' }, INITIAL_CONTEXT));
      break;
    case 4:
      socket.write(encodeMessage({ type: 'keepalive' }, INITIAL_CONTEXT));
      if (nlri === 0) tell({ type: 'established' });
      break;
    case 2:
      count(message);
      break;
    default:
      break;
  }
}

/** An OPEN that agrees to what the sender offers. */
function answerTo(open: Buffer): Uint8Array {
  const theirs = decodeMessage(open, INITIAL_CONTEXT);
  if (theirs.type !== 'open') throw new Error('not an OPEN');
  const families = Object.values(FAMILIES).filter((family) =>
    theirs.capabilities.some(
      (one) => one.type === 'multiprotocol' && one.family.afi === family.afi && one.family.safi === family.safi,
    ),
  );
  return encodeMessage(
    {
      type: 'open',
      version: 4,
      myAs: asn,
      holdTime: 240,
      bgpIdentifier: 0x0a000001,
      capabilities: [
        ...families.map((family) => ({ type: 'multiprotocol', family }) as const),
        { type: 'four-octet-as', asn },
      ],
    },
    INITIAL_CONTEXT,
  );
}

/** Counts NLRI of MP_REACH and MP_UNREACH by their length octets (RFC 8955 §4.1). */
function count(message: Buffer): void {
  updates++;
  octets += message.length;
  let at = HEADER + 2 + message.readUInt16BE(HEADER);
  const end = at + 2 + message.readUInt16BE(at);
  at += 2;
  while (at < end) {
    const extended = ((message[at] as number) & 0x10) !== 0;
    const type = message[at + 1];
    const length = extended ? message.readUInt16BE(at + 2) : (message[at + 2] as number);
    const value = at + (extended ? 4 : 3);
    if (type === 14) nlri += countNlri(message, value + 5 + (message[value + 3] as number), value + length);
    if (type === 15) nlri += countNlri(message, value + 3, value + length);
    at = value + length;
  }
  if (nlri >= target) {
    target = Number.POSITIVE_INFINITY;
    tell({ type: 'reached', nlri, updates, octets, at: String(process.hrtime.bigint()) });
  }
}

function countNlri(message: Buffer, from: number, end: number): number {
  let found = 0;
  for (let at = from; at < end; found++) {
    const first = message[at] as number;
    at += first < 0xf0 ? 1 + first : 2 + (((first & 0x0f) << 8) | (message[at + 1] as number));
  }
  return found;
}

server.listen(0, host, () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') tell({ type: 'listening', port: address.port });
});
