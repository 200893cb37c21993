import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { MessageFramer } from '../../../src/bgp/wire/framing.ts';
import { decodeMessage, encodeMessage } from '../../../src/bgp/wire/message.ts';
import { findCapability, peerAsn } from '../../../src/bgp/wire/open.ts';
import { type CodecContext, INITIAL_CONTEXT, type OpenMessage } from '../../../src/bgp/wire/types.ts';
import { concatBytes, toHex } from '../../../src/net/bytes.ts';
import { readStreams } from '../../../src/tools/pcap/reassemble.ts';

const FOLDER = join(import.meta.dirname, '../../../fixtures/wire');

/** One connection of a capture: what its OPENs negotiated, and the messages of both directions. */
interface Session {
  readonly context: CodecContext;
  readonly messages: readonly Uint8Array[];
}

function sessionsOf(file: string): readonly Session[] {
  const { streams, problems } = readStreams(new Uint8Array(readFileSync(join(FOLDER, file))));
  assert.deepEqual(problems, []);
  const connections = new Map<number, Uint8Array[]>();
  for (const { connection, chunks } of streams) {
    const messages = connections.get(connection) ?? [];
    connections.set(connection, messages);
    const framer = new MessageFramer();
    for (const { bytes } of chunks) {
      framer.push(bytes);
      for (let one = framer.next(true); one !== undefined; one = framer.next(true)) messages.push(one);
    }
  }
  return [...connections.values()].map((messages) => ({ context: negotiated(messages), messages }));
}

function negotiated(messages: readonly Uint8Array[]): CodecContext {
  const opens = messages
    .map((bytes) => (bytes[18] === 1 ? decodeMessage(bytes, INITIAL_CONTEXT) : undefined))
    .filter((one): one is OpenMessage => one?.type === 'open');
  const [a, b] = opens;
  return {
    fourOctetAs:
      opens.length > 1 && opens.every((open) => findCapability(open, 'four-octet-as') !== undefined),
    extendedMessages: false,
    internal: a !== undefined && b !== undefined && peerAsn(a) === peerAsn(b),
  };
}

/**
 * The message as this speaker would have written it, put together from the daemon's own octets: MP_REACH_NLRI and
 * MP_UNREACH_NLRI first, the others by type, short lengths where they do, all capabilities in one parameter.
 */
function rewritten(bytes: Uint8Array): Uint8Array {
  if (bytes[18] === 2) return withBody(bytes, rewrittenUpdate(bytes.subarray(19)));
  if (bytes[18] === 1) return withBody(bytes, rewrittenOpen(bytes.subarray(19)));
  return bytes;
}

function withBody(bytes: Uint8Array, body: Uint8Array): Uint8Array {
  const length = 19 + body.length;
  return concatBytes([bytes.subarray(0, 16), Uint8Array.of(length >> 8, length & 255, bytes[18] ?? 0), body]);
}

function rewrittenUpdate(body: Uint8Array): Uint8Array {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const lengthAt = 2 + view.getUint16(0);
  const end = lengthAt + 2 + view.getUint16(lengthAt);
  const attributes: { readonly order: number; readonly octets: Uint8Array }[] = [];
  for (let at = lengthAt + 2; at < end; ) {
    const [flags, type] = [view.getUint8(at), view.getUint8(at + 1)];
    const head = (flags & 0x10) === 0 ? 3 : 4;
    const length = head === 3 ? view.getUint8(at + 2) : view.getUint16(at + 2);
    const value = body.subarray(at + head, at + head + length);
    const short = length > 255 ? body.subarray(at, at + 4) : Uint8Array.of(flags & ~0x10, type, length);
    attributes.push({ order: type === 14 || type === 15 ? -1 : type, octets: concatBytes([short, value]) });
    at += head + length;
  }
  const written = concatBytes(attributes.sort((a, b) => a.order - b.order).map(({ octets }) => octets));
  const lengths = Uint8Array.of(written.length >> 8, written.length & 255);
  return concatBytes([body.subarray(0, lengthAt), lengths, written, body.subarray(end)]);
}

function rewrittenOpen(body: Uint8Array): Uint8Array {
  const capabilities: Uint8Array[] = [];
  for (let at = 10; at < body.length; at += 2 + (body[at + 1] ?? 0)) {
    capabilities.push(body.subarray(at + 2, at + 2 + (body[at + 1] ?? 0)));
  }
  const value = concatBytes(capabilities);
  return concatBytes([body.subarray(0, 9), Uint8Array.of(value.length + 2, 2, value.length), value]);
}

describe('what real speakers wrote', () => {
  const captures = readdirSync(FOLDER).filter((name) => name.endsWith('.pcap'));

  it('was captured', () => {
    assert.ok(captures.length >= 10);
  });

  for (const file of captures) {
    it(`${file}: each message is read without a problem, and written again octet for octet`, () => {
      const sessions = sessionsOf(file);
      assert.ok(sessions.some(({ messages }) => messages.length > 5));
      for (const { context, messages } of sessions) {
        for (const bytes of messages) {
          const decoded = decodeMessage(bytes, context);
          if (decoded.type === 'update') assert.deepEqual(decoded.problems, []);
          assert.equal(toHex(encodeMessage(decoded, context)), toHex(rewritten(bytes)));
        }
      }
    });
  }
});
