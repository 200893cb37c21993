/** `prefixd pcap` over files made here: messages by hand, and what the command prints of them. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { encodeMessage } from '../../src/bgp/wire/message.ts';
import type { Capability } from '../../src/bgp/wire/types.ts';
import { INITIAL_CONTEXT } from '../../src/bgp/wire/types.ts';
import { concatBytes, fromHex } from '../../src/net/bytes.ts';
import { connectionOf, pcapFile, type Said } from '../tools/pcap/frames.ts';
import { cli } from './harness.ts';

export interface Route {
  readonly afi: number;
  readonly safi: number;
  readonly nlri_hex: string;
  readonly path_id?: number;
  readonly prefix?: string;
  readonly rule?: string;
  readonly error?: string;
}

export interface Line {
  readonly type: string | null;
  readonly message_type?: number;
  readonly src: string;
  readonly error?: string;
  readonly notification?: { readonly code: number; readonly subcode: number };
  readonly treatment?: string;
  readonly discarded?: readonly string[];
  readonly notes?: readonly string[];
  readonly announced?: readonly Route[];
  readonly withdrawn?: readonly Route[];
  readonly actions?: readonly string[];
  readonly capabilities?: readonly Readonly<Record<string, unknown>>[];
  readonly attributes?: {
    readonly as_path?: readonly { readonly kind: string; readonly asns: readonly number[] }[];
    readonly next_hop?: readonly string[];
    readonly local_pref?: number;
    readonly extended_communities?: readonly string[];
  };
  readonly filters?: string;
}

export interface Read {
  readonly code: number;
  readonly lines: readonly Line[];
  readonly stderr: string;
}

/** Runs the command on a file on disk. */
export async function readFileWithCli(path: string): Promise<Read> {
  const { code, stdout, stderr } = await cli(['pcap', path]);
  const lines = stdout.split('\n').flatMap((line): Line[] => (line === '' ? [] : [JSON.parse(line)]));
  return { code, lines, stderr };
}

/** Runs the command on a file in memory. */
export async function readCaptured(t: TestContext, file: Uint8Array): Promise<Read> {
  const folder = mkdtempSync(join(tmpdir(), 'prefixd-pcap-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'capture.pcap');
  writeFileSync(path, file);
  return await readFileWithCli(path);
}

/** A connection of BGP in IP packets without a link header. */
export async function readSession(
  t: TestContext,
  said: readonly Said[],
  options: Parameters<typeof connectionOf>[1] = {},
): Promise<Read> {
  return await readCaptured(t, pcapFile(connectionOf(said, options), 101));
}

/** Octets of a hexadecimal text with spaces. */
export function hex(text: string): Uint8Array {
  const octets = fromHex(text.replaceAll(/\s/g, ''));
  assert.ok(octets, text);
  return octets;
}

/** A message of a type around a body (RFC 4271 §4.1). */
export function message(type: number, body: Uint8Array): Uint8Array {
  const length = 19 + body.length;
  return concatBytes([new Uint8Array(16).fill(0xff), Uint8Array.of(length >> 8, length & 0xff, type), body]);
}

/** An UPDATE of its three fields in hexadecimal (RFC 4271 §4.3). */
export function update(parts: {
  readonly withdrawn?: string;
  readonly attributes?: string;
  readonly nlri?: string;
}): Uint8Array {
  const [withdrawn, attributes, nlri] = [parts.withdrawn, parts.attributes, parts.nlri].map((one = '') =>
    hex(one),
  );
  const counted = (octets: Uint8Array = new Uint8Array(0)): Uint8Array[] => [
    Uint8Array.of(octets.length >> 8, octets.length & 0xff),
    octets,
  ];
  return message(2, concatBytes([...counted(withdrawn), ...counted(attributes), nlri ?? new Uint8Array(0)]));
}

export const KEEPALIVE = message(4, new Uint8Array(0));

/** A capability that is known by its code alone. */
export function capability(code: number, value = ''): Capability {
  return { type: 'unknown', code, value: hex(value) };
}

/** An OPEN of an AS with 4-octet AS numbers and other capabilities. */
export function open(asn: number, capabilities: readonly Capability[] = []): Uint8Array {
  return encodeMessage(
    {
      type: 'open',
      version: 4,
      myAs: asn,
      holdTime: 90,
      bgpIdentifier: asn,
      capabilities: [{ type: 'four-octet-as', asn }, ...capabilities],
    },
    INITIAL_CONTEXT,
  );
}

/** ORIGIN IGP, AS_PATH 65001 in four octets, NEXT_HOP 192.0.2.1. */
export const ATTRIBUTES = '400101 00 400206 0201 0000fde9 400304 c0000201';

/** From the client, and from the server. */
export const sent = (octets: Uint8Array): Said => ({ octets });
export const answered = (octets: Uint8Array): Said => ({ octets, back: true });

/** Returns the errors of the lines as `code/subcode error`. */
export function errorsOf(lines: readonly Line[]): readonly string[] {
  return lines.flatMap(({ error, notification }) =>
    error === undefined ? [] : [`${notification?.code}/${notification?.subcode} ${error}`],
  );
}
