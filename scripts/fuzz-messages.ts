/** BGP messages, mutated: `decodeMessage` and the framer end in a value or a NotificationError, whatever arrives. */
import { MessageFramer } from '../src/bgp/wire/framing.ts';
import { MessageType } from '../src/bgp/wire/iana.ts';
import { HEADER_LENGTH } from '../src/bgp/wire/message-length.ts';
import { decodeMessage, encodeMessage } from '../src/bgp/wire/message.ts';
import { NotificationError } from '../src/bgp/wire/notification.ts';
import { notificationText } from '../src/bgp/wire/notification-text.ts';
import type { BgpMessage, CodecContext } from '../src/bgp/wire/types.ts';
import { fromHex, sameBytes, toHex } from '../src/net/bytes.ts';
import { captureMessages, type FuzzTarget } from './fuzzing.ts';

const OPEN_HEAD = '04 fdf2 005a c000020a';
const MANDATORY = '40 01 01 00  40 02 0a 02 02 0000fde9 fa56ea00  40 03 04 c0000201';

/** Bodies written by hand from the figures of the RFCs, with what the captures may lack. */
const BODIES: readonly (readonly [type: number, hex: string])[] = [
  [1, `${OPEN_HEAD} 00`],
  [1, `${OPEN_HEAD} 1c 02 0a 0104 0001 00 85 0200 0600 02 0e 4006 4078 0001 85 80 4104 fa56ea00`],
  [1, `${OPEN_HEAD} ff ff 0014 02 0009 4707 0001 85 80 ffffff 02 0005 4903 016100`],
  [2, '0000 0000'],
  [2, '0000 0006 80 0f 03 0001 85'],
  [2, `0005 20 c6336401 0018 ${MANDATORY} 18 cb0071`],
  [
    2,
    `0000 008b 80 0e 09 0001 85 00 00 03 038106 ${MANDATORY} 80 04 04 00000007 40 05 04 00000064 40 06 00
    c0 07 08 fa56ea00 c0000202  c0 08 04 fdf2029a  80 09 04 c0000203  80 0a 04 c0000204  c0 10 08 8006000047435000
    c0 19 14 000c 20010db8000000000000000000000001 0000  c0 20 0c 0000fdf20000000100000002  e0 63 02 abcd`,
  ],
  [
    2,
    '0000 001e 40 01 01 00 40 02 04 02 01 5ba0 40 03 04 c0000201 c0 11 06 02 01 00011171 c0 63 00 18 cb0071',
  ],
  [3, '06 02 03 627965'],
  [3, '06 09 06 02 03 627965'],
  [3, '03 09 80 0e 04 00018500'],
  [4, ''],
  [5, '0001 00 85'],
  [5, '0002 01 85'],
];

const CONTEXTS: readonly CodecContext[] = [
  { fourOctetAs: true, extendedMessages: true, internal: false },
  { fourOctetAs: true, extendedMessages: false, internal: true },
  { fourOctetAs: false, extendedMessages: false, internal: false },
];

function seedMessages(): readonly Uint8Array[] {
  const byHand = BODIES.map(([type, hex]) => {
    const body = fromHex(hex.replaceAll(/\s/g, ''));
    if (body === undefined) throw new Error(`a seed is not hexadecimal: ${hex}`);
    const message = new Uint8Array(HEADER_LENGTH + body.length);
    message.set(body, HEADER_LENGTH);
    message[HEADER_LENGTH - 1] = type;
    const whole = withHeader(message);
    // A seed that is refused would test next to nothing.
    if (!CONTEXTS.some((context) => decodes(whole, context))) throw new Error(`a seed is refused: ${hex}`);
    return whole;
  });
  return [...byHand, ...captureMessages()];
}

/** The same octets with a right marker and length, so that a mutation reaches the body. */
function withHeader(octets: Uint8Array): Uint8Array {
  const message = octets.slice(0, 65535);
  message.fill(0xff, 0, 16);
  if (message.length < HEADER_LENGTH) return message;
  message[16] = message.length >> 8;
  message[17] = message.length & 0xff;
  return message;
}

/** An UPDATE whose attributes reach to its end, so that a mutation of one is not hidden by the lengths around it. */
function withAttributesLength(message: Uint8Array): Uint8Array | undefined {
  const lengthAt =
    HEADER_LENGTH + 2 + (((message[HEADER_LENGTH] ?? 0) << 8) | (message[HEADER_LENGTH + 1] ?? 0));
  if (message[HEADER_LENGTH - 1] !== MessageType.Update || lengthAt + 2 > message.length) return undefined;
  const repaired = message.slice();
  const length = message.length - lengthAt - 2;
  repaired[lengthAt] = length >> 8;
  repaired[lengthAt + 1] = length & 0xff;
  return repaired;
}

function decodes(octets: Uint8Array, context: CodecContext): boolean {
  const message = decode(octets, context);
  return message !== undefined && (message.type !== 'update' || message.problems.length === 0);
}

function decode(octets: Uint8Array, context: CodecContext): BgpMessage | undefined {
  try {
    return decodeMessage(octets, context);
  } catch (error) {
    if (!(error instanceof NotificationError)) throw error;
    // The NOTIFICATION that answers it must be possible to send and to show.
    const { code, subcode, data } = error;
    encodeMessage({ type: 'notification', code, subcode, data }, context);
    notificationText(code, subcode, data);
    return undefined;
  }
}

/** Checks that a decoded message can be encoded, and that decoding and encoding again changes nothing. */
function checkCanonical(message: BgpMessage, context: CodecContext): void {
  if (message.type === 'notification') notificationText(message.code, message.subcode, message.data);
  // Attributes that RFC 7606 took out may have been the mandatory ones: nobody sends such an UPDATE on.
  if (message.type === 'update' && message.problems.length > 0) return;
  const written = encodeMessage(message, { ...context, extendedMessages: true });
  const again = decodeMessage(written, { ...context, extendedMessages: true });
  const rewritten = encodeMessage(again, { ...context, extendedMessages: true });
  if (!sameBytes(rewritten, written)) {
    throw new Error(`not canonical: ${toHex(written)} became ${toHex(rewritten)}`);
  }
}

function runMessage(input: Uint8Array): void {
  const repaired = withHeader(input);
  const attributes = withAttributesLength(repaired);
  for (const context of CONTEXTS) {
    decode(input, context);
    for (const octets of [repaired, attributes]) {
      const message = octets && decode(octets, context);
      if (message !== undefined) checkCanonical(message, context);
    }
  }
}

/** Messages of a stream that arrives in chunks of up to `size` octets, as hexadecimal, and the error that ends it. */
function readInChunks(stream: Uint8Array, size: number): readonly string[] {
  const framer = new MessageFramer();
  const seen: string[] = [];
  try {
    for (let at = 0; at < stream.length; at += size) {
      framer.push(stream.slice(at, at + size));
      for (let one = framer.next(false); one !== undefined; one = framer.next(false)) seen.push(toHex(one));
    }
  } catch (error) {
    if (!(error instanceof NotificationError)) throw error;
    seen.push(`${error.code}/${error.subcode} ${toHex(error.data)}`);
  }
  return seen;
}

function runStream(input: Uint8Array): void {
  const whole = readInChunks(input, input.length + 1).join();
  for (const size of [1, 7, 19, 64]) {
    const parts = readInChunks(input, size).join();
    if (parts !== whole) throw new Error(`chunks of ${size}: ${parts}, in one piece: ${whole}`);
  }
}

export const targets: readonly FuzzTarget[] = [
  { name: 'messages', seeds: seedMessages, run: runMessage },
  { name: 'framing', seeds: seedMessages, run: runStream },
];
