/** GoBGP (Debian: gobgpd). Always waits to be called: on its own it takes some nine seconds to dial. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FamilyName } from '../../../src/bgp/wire/iana.ts';
import { findProgram, output, type Running, start, until } from '../children.ts';
import { freePort, ownAddress } from '../loopback.ts';
import {
  addressHex,
  bitmaskFromOctet,
  type ComponentJson,
  float32Hex,
  hexNumber,
  numericFromOctet,
  numericType,
  prefixJson,
} from '../rule-json.ts';
import type { Daemon, DaemonConfig, PeerConfig, TableRule } from './daemon.ts';

/** GoBGP, and the command line that talks to it. */
export interface GoBgp extends Daemon {
  readonly kind: 'gobgp';
  /** Runs `gobgp` against this daemon. */
  command(...args: readonly string[]): Promise<string>;
  /** The NLRI octets, length included, of every rule received from this peer: operators as they came. */
  receivedNlri(peerAddress: string, family: FamilyName): Promise<readonly string[]>;
  /** A process whose log has a line for each change of the table from now on: `[ROUTE]` or `[DELROUTE]`. */
  monitor(family: FamilyName): Running;
}

/** GoBGP's names for families, in its configuration and on its command line. */
const FAMILY_NAMES: Readonly<Partial<Record<FamilyName, { readonly config: string; readonly cli: string }>>> =
  {
    'ipv4-unicast': { config: 'ipv4-unicast', cli: 'ipv4' },
    'ipv6-unicast': { config: 'ipv6-unicast', cli: 'ipv6' },
    'ipv4-flowspec': { config: 'ipv4-flowspec', cli: 'ipv4-flowspec' },
    'ipv6-flowspec': { config: 'ipv6-flowspec', cli: 'ipv6-flowspec' },
    'ipv4-flowspec-vpn': { config: 'l3vpn-ipv4-flowspec', cli: 'ipv4-l3vpn-flowspec' },
    'ipv6-flowspec-vpn': { config: 'l3vpn-ipv6-flowspec', cli: 'ipv6-l3vpn-flowspec' },
  };

function familyName(family: FamilyName, where: 'config' | 'cli'): string {
  const names = FAMILY_NAMES[family];
  if (names === undefined) throw new Error(`gobgp is not asked about ${family}`);
  return names[where];
}

function neighborToml(config: DaemonConfig, peer: PeerConfig): string {
  const graceful = peer.helper === true || peer.restarting !== undefined;
  const lines = [
    '[[neighbors]]',
    '  [neighbors.config]',
    `    neighbor-address = "${peer.address}"`,
    `    peer-as = ${peer.asn}`,
    ...(peer.md5Password === undefined ? [] : [`    auth-password = "${peer.md5Password}"`]),
    ...(peer.ttlSecurity === true
      ? ['  [neighbors.ttl-security.config]', '    enabled = true', '    ttl-min = 255']
      : []),
    '  [neighbors.transport.config]',
    `    passive-mode = ${peer.dial === undefined}`,
    `    local-address = "${config.address}"`,
    ...(peer.dial === undefined ? [] : [`    remote-port = ${peer.dial}`]),
    '  [neighbors.timers.config]',
    '    idle-hold-time-after-reset = 1',
    '    connect-retry = 1',
    `    hold-time = ${peer.holdTime ?? 30}`,
    ...(graceful
      ? [
          '  [neighbors.graceful-restart.config]',
          '    enabled = true',
          `    helper-only = ${peer.restarting === undefined}`,
          `    restart-time = ${peer.restarting ?? 30}`,
        ]
      : []),
  ];
  for (const family of peer.families) {
    lines.push('  [[neighbors.afi-safis]]', '    [neighbors.afi-safis.config]');
    lines.push(`      afi-safi-name = "${familyName(family, 'config')}"`);
    if (graceful) lines.push('    [neighbors.afi-safis.mp-graceful-restart.config]', '      enabled = true');
  }
  return lines.join('\n');
}

/** Starts gobgpd and waits until it answers its command line. */
export async function startGoBgp(config: DaemonConfig): Promise<GoBgp> {
  const folder = await mkdtemp(join(tmpdir(), 'gobgp-'));
  const apiHost = ownAddress();
  const api = await freePort(apiHost);
  const configText = [
    '[global.config]',
    `  as = ${config.asn}`,
    `  router-id = "${config.routerId}"`,
    `  local-address-list = ["${config.address}"]`,
    `  port = ${config.port}`,
    ...config.peers.map((peer) => neighborToml(config, peer)),
    '',
  ].join('\n');
  const file = join(folder, 'gobgpd.toml');
  await writeFile(file, configText);
  const program = findProgram('gobgpd') ?? 'gobgpd';
  const client = findProgram('gobgp') ?? 'gobgp';
  const version = (await output(program, ['--version'])).trim();
  const running = start(program, [
    '-f',
    file,
    '--api-hosts',
    `${apiHost}:${api}`,
    '--pprof-disable',
    '-l',
    'info',
  ]);
  const command = (...args: readonly string[]): Promise<string> =>
    output(client, ['-u', apiHost, '-p', String(api), ...args]);
  const stop = async (signal?: NodeJS.Signals): Promise<void> => {
    await running.stop(signal);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until('gobgpd answers with its neighbors', async () => {
      if (running.ended) return true;
      const neighbors: unknown = JSON.parse(await command('neighbor', '-j'));
      return Array.isArray(neighbors) && neighbors.length === config.peers.length;
    });
    if (running.ended) throw new Error(`gobgpd ended: ${running.log()}`);
  } catch (error) {
    await stop('SIGKILL');
    throw error;
  }
  return {
    kind: 'gobgp',
    config,
    version,
    configText,
    command,
    async established(peerAddress) {
      const neighbor: unknown = JSON.parse(await command('neighbor', peerAddress, '-j'));
      return at(neighbor, 'state', 'session_state') === 6;
    },
    async rules(family) {
      const table: unknown = JSON.parse(
        await command('global', 'rib', '-a', familyName(family, 'cli'), '-j'),
      );
      return paths(table).map(([name, path]) => ({ ...ruleOf(path), verbatim: name }));
    },
    async count(family) {
      // Its command line takes seconds to sort a table of a thousand FlowSpec rules.
      const summary: unknown = JSON.parse(
        await command('global', 'rib', 'summary', '-a', familyName(family, 'cli'), '-j'),
      );
      return Number(at(summary, 'num_destination') ?? 0);
    },
    tableText: (family) => command('global', 'rib', '-a', familyName(family, 'cli'), '-j'),
    async receivedNlri(peerAddress, family) {
      const text = await command('neighbor', peerAddress, 'adj-in', '-a', familyName(family, 'cli'), '-j');
      return paths(JSON.parse(text)).map(([, path]) => nlriHex(path));
    },
    monitor: (family) =>
      start(client, [
        ...['-u', apiHost, '-p', String(api)],
        ...['monitor', 'global', 'rib', '-a', familyName(family, 'cli')],
      ]),
    log: running.log,
    stop,
  };
}

/** The value behind a row of keys, or undefined where there is none. */
export function at(value: unknown, ...keys: readonly (string | number)[]): unknown {
  let here = value;
  for (const key of keys) {
    if (typeof here !== 'object' || here === null) return undefined;
    here = Object.entries(here).find(([name]) => name === String(key))?.[1];
  }
  return here;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function paths(table: unknown): readonly (readonly [string, unknown])[] {
  if (typeof table !== 'object' || table === null) return [];
  return Object.entries(table).flatMap(([name, all]) => list(all).map((path) => [name, path] as const));
}

/** Components of a path in gobgp's JSON: operators are octets as on the wire. */
function ruleOf(path: unknown): Omit<TableRule, 'verbatim'> {
  const components = list(at(path, 'nlri', 'value')).map((component): ComponentJson => {
    const type = Number(at(component, 'type'));
    if (type === 1 || type === 2) {
      const offset = Number(at(component, 'offset') ?? 0);
      return prefixJson(type, `${at(component, 'value', 'prefix')}/${offset}`);
    }
    const ops = list(at(component, 'value')).map(
      (op) => [Number(at(op, 'op')), Number(at(op, 'value'))] as const,
    );
    if (type === 9 || type === 12)
      return { type, ops: ops.map(([op, value]) => bitmaskFromOctet(op, value)) };
    return { type: numericType(type), ops: ops.map(([op, value]) => numericFromOctet(op, value)) };
  });
  const communitiesOf = (attributeType: number): readonly unknown[] =>
    list(at(path, 'attrs'))
      .filter((attribute) => at(attribute, 'type') === attributeType)
      .flatMap((attribute) => list(at(attribute, 'value')));
  const communities = communitiesOf(16);
  const rate = communities.find((one) => at(one, 'type') === 128 && at(one, 'subtype') === 6);
  return {
    components,
    rate: rate === undefined ? null : Number(at(rate, 'rate')),
    actions: [...communities, ...communitiesOf(25)].map(communityHex),
    opaque: [...communities, ...communitiesOf(25)].some(isOpaque),
  };
}

/** It shows an unknown type in base64, and an unknown subtype with an address like any community with one. */
function isOpaque(community: unknown): boolean {
  const value = at(community, 'value');
  const known = [0x80, 0x81, 0x82].includes(Number(at(community, 'type')));
  return !known || (typeof value === 'string' && !value.includes(':'));
}

/** A community of 8 or 20 octets, rebuilt from its fields; what gobgp does not know it shows as octets in base64. */
function communityHex(community: unknown): string {
  const type = Number(at(community, 'type'));
  const subtype = Number(at(community, 'subtype'));
  const value = at(community, 'value');
  const head = hexNumber(type, 1) + hexNumber(subtype, 1);
  if (type === 0x80 && subtype === 6) {
    return head + hexNumber(Number(at(community, 'as')), 2) + float32Hex(Number(at(community, 'rate')));
  }
  if (type === 0x80 && subtype === 7) {
    const bits = (at(community, 'sample') === true ? 2 : 0) + (at(community, 'terminal') === true ? 1 : 0);
    return head + hexNumber(bits, 6);
  }
  if (type === 0x80 && subtype === 9) return head + hexNumber(Number(value), 6);
  const [, administrator = '', number = ''] = /^(.+):(\d+)$/.exec(String(value)) ?? [];
  // Its octets begin with the subtype.
  if (administrator === '') return hexNumber(type, 1) + Buffer.from(String(value), 'base64').toString('hex');
  if (type === 0x80) return head + hexNumber(Number(administrator), 2) + hexNumber(Number(number), 4);
  const [high = '', low = ''] = administrator.split('.');
  const four =
    type === 0x82 ? hexNumber(Number(high), 2) + hexNumber(Number(low), 2) : addressHex(administrator);
  return head + four + hexNumber(Number(number), 2);
}

/** The octets of a rule, rebuilt from gobgp's JSON: its operators carry the width that was received (RFC 8955 §4). */
function nlriHex(path: unknown): string {
  const hex = (value: number, octets: number): string => value.toString(16).padStart(octets * 2, '0');
  let body = '';
  for (const component of list(at(path, 'nlri', 'value'))) {
    const type = Number(at(component, 'type'));
    body += hex(type, 1);
    if (type === 1 || type === 2) {
      body += prefixHex(
        String(at(component, 'value', 'prefix')),
        at(component, 'offset') as number | undefined,
      );
      continue;
    }
    for (const op of list(at(component, 'value'))) {
      const octet = Number(at(op, 'op'));
      body += hex(octet, 1) + hex(Number(at(op, 'value')), 1 << ((octet >> 4) & 3));
    }
  }
  const length = body.length / 2;
  return (length < 240 ? hex(length, 1) : hex(0xf000 | length, 2)) + body;
}

function prefixHex(text: string, offset: number | undefined): string {
  const [address = '', length = ''] = text.split('/');
  const bits = Number(length);
  const octets = address.includes(':')
    ? expandIPv6(address)
    : address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  const head = [bits, ...(offset === undefined ? [] : [offset])].map((n) => n.toString(16).padStart(2, '0'));
  return [...head, ...octets.slice(0, Math.ceil(bits / 8))].join('');
}

function expandIPv6(address: string): readonly string[] {
  const [left = '', right] = address.split('::');
  const groups = (part: string): string[] =>
    (part === '' ? [] : part.split(':')).map((g) => g.padStart(4, '0'));
  const tail = right === undefined ? [] : groups(right);
  const head = groups(left);
  const middle = Array.from({ length: 8 - head.length - tail.length }, () => '0000');
  return [...head, ...(right === undefined ? [] : middle), ...tail].flatMap((g) => [
    g.slice(0, 2),
    g.slice(2),
  ]);
}
