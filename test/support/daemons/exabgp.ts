/**
 * ExaBGP (Debian: exabgp). It keeps no table: what it receives, it writes down as JSON lines, and the table is what the
 * lines add up to. Commands reach it through a file that one of its helper processes follows.
 */
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FamilyName } from '../../../src/bgp/wire/iana.ts';
import { findProgram, output, start, until } from '../children.ts';
import {
  addressHex,
  type BitmaskOpJson,
  type ComponentJson,
  compare,
  hexNumber,
  type NumericOpJson,
  type NumericType,
  prefixJson,
} from '../rule-json.ts';
import type { Daemon, DaemonConfig, PeerConfig, TableRule } from './daemon.ts';
import { at } from './gobgp.ts';

export interface ExaBgp extends Daemon {
  readonly kind: 'exabgp';
  /** Writes one line to its API, such as `announce flow route { ... }`. */
  command(line: string): Promise<void>;
  /** Everything it has said so far, one JSON value a line; the numbers of communities are text. */
  received(): Promise<readonly unknown[]>;
}

const FAMILY_WORDS: Readonly<Partial<Record<FamilyName, string>>> = {
  'ipv4-unicast': 'ipv4 unicast',
  'ipv6-unicast': 'ipv6 unicast',
  'ipv4-flowspec': 'ipv4 flow',
  'ipv6-flowspec': 'ipv6 flow',
  'ipv4-flowspec-vpn': 'ipv4 flow-vpn',
  'ipv6-flowspec-vpn': 'ipv6 flow-vpn',
};

function neighborText(config: DaemonConfig, peer: PeerConfig): string {
  return [
    `neighbor ${peer.address} {`,
    `  router-id ${config.routerId}; local-address ${config.address};`,
    `  local-as ${config.asn}; peer-as ${peer.asn}; hold-time ${peer.holdTime ?? 30};`,
    peer.dial === undefined ? `  passive; listen ${config.port};` : `  connect ${peer.dial};`,
    ...(peer.md5Password === undefined ? [] : [`  md5-password '${peer.md5Password}';`]),
    ...(peer.ttlSecurity === true ? ['  outgoing-ttl 255; incoming-ttl 255;'] : []),
    ...(peer.restarting === undefined ? [] : [`  capability { graceful-restart ${peer.restarting}; }`]),
    `  family { ${peer.families.map((family) => `${FAMILY_WORDS[family]};`).join(' ')} }`,
    // Apart: what is received must not go to the process that gives orders, which reads nothing and would block exabgp.
    '  api listening { processes [ dump ]; neighbor-changes; receive { parsed; update; open; refresh; } }',
    '  api speaking { processes [ orders ]; }',
    ...(config.originate === undefined ? [] : ['  flow {', config.originate, '  }']),
    '}',
  ].join('\n');
}

/** Starts exabgp; it is ready when its helper processes run. */
export async function startExaBgp(config: DaemonConfig): Promise<ExaBgp> {
  const folder = await mkdtemp(join(tmpdir(), 'exabgp-'));
  const lines = join(folder, 'received.jsonl');
  const orders = join(folder, 'orders');
  await writeFile(lines, '');
  await writeFile(orders, '');
  const configText = [
    `process dump { run /bin/sh -c "cat >> ${lines}"; encoder json; }`,
    `process orders { run /bin/sh -c "tail -n +1 -f ${orders}"; encoder text; }`,
    ...config.peers.map((peer) => neighborText(config, peer)),
    '',
  ].join('\n');
  const file = join(folder, 'exabgp.conf');
  await writeFile(file, configText);
  const program = findProgram('exabgp') ?? 'exabgp';
  const version = (await output(program, ['--version'])).split('\n')[0] ?? '';
  const user = process.env.USER ?? 'root';
  const running = start(program, [file], {
    cwd: folder,
    env: {
      'exabgp.daemon.user': process.getuid?.() === 0 ? 'root' : user,
      'exabgp.daemon.drop': 'false',
      'exabgp.api.cli': 'false',
      'exabgp.api.ack': 'false',
      'exabgp.tcp.bind': config.peers.some((peer) => peer.dial === undefined) ? config.address : '',
      'exabgp.tcp.port': String(config.port),
      'exabgp.log.level': 'INFO',
    },
  });
  const stop = async (signal?: NodeJS.Signals): Promise<void> => {
    await running.stop(signal);
    await rm(folder, { recursive: true, force: true });
  };
  const received = async (): Promise<readonly unknown[]> =>
    (await readFile(lines, 'utf8'))
      .split('\n')
      .slice(0, -1)
      .filter((line) => line !== '')
      // A community of 8 octets is one number there, more than a number holds here.
      .map((line): unknown => JSON.parse(line.replace(/("value": )(\d+)/g, '$1"$2"')));
  try {
    await until('exabgp runs', () => running.ended || /reactor|starting/i.test(running.log()) || undefined);
    if (running.ended) throw new Error(`exabgp ended: ${running.log()}`);
  } catch (error) {
    await stop('SIGKILL');
    throw error;
  }
  return {
    kind: 'exabgp',
    config,
    version,
    configText: configText.replaceAll(folder, '.'),
    command: (line) => appendFile(orders, `${line}\n`),
    received,
    async established(peerAddress) {
      let up = false;
      for (const line of await received()) {
        if (at(line, 'type') !== 'state' || at(line, 'neighbor', 'address', 'peer') !== peerAddress) continue;
        up = at(line, 'neighbor', 'state') === 'up';
      }
      return up;
    },
    async rules(family) {
      return [...tableOf(await received(), FAMILY_WORDS[family] ?? family).values()];
    },
    async count(family) {
      return tableOf(await received(), FAMILY_WORDS[family] ?? family).size;
    },
    tableText: async () => readFile(lines, 'utf8'),
    log: running.log,
    stop,
  };
}

/**
 * Returns the rules that remain after all these lines: announced adds or replaces, withdrawn removes, a lost session
 * removes all.
 */
function tableOf(lines: readonly unknown[], family: string): ReadonlyMap<string, TableRule> {
  const table = new Map<string, TableRule>();
  for (const line of lines) {
    if (at(line, 'type') === 'state' && at(line, 'neighbor', 'state') === 'down') table.clear();
    const update = at(line, 'neighbor', 'message', 'update');
    const withdrawn = at(update, 'withdraw', family);
    if (Array.isArray(withdrawn)) for (const flow of withdrawn) table.delete(matchKey(flow));
    const announced = at(update, 'announce', family);
    for (const flows of Object.values(typeof announced === 'object' && announced !== null ? announced : {})) {
      for (const flow of Array.isArray(flows) ? flows : []) {
        table.set(matchKey(flow), {
          components: componentsOf(flow),
          rate: rateOf(at(update, 'attribute', 'extended-community')),
          actions: actionsOf(at(update, 'attribute')),
          opaque: isOpaque(at(update, 'attribute')),
          verbatim: String(at(flow, 'string')),
          ...(at(flow, 'next-hop') === undefined ? {} : { nextHop: String(at(flow, 'next-hop')) }),
        });
      }
    }
  }
  return table;
}

function matchKey(flow: unknown): string {
  return JSON.stringify(componentsOf(flow));
}

function rateOf(communities: unknown): number | null {
  for (const community of Array.isArray(communities) ? communities : []) {
    const rate = /^rate-limit:(\d+)$/.exec(String(at(community, 'string')))?.[1];
    if (rate !== undefined) return Number(rate);
    if (at(community, 'string') === 'discard') return 0;
  }
  return null;
}

/** Communities in hex. Attribute 25 is text there: of a redirect to IPv6, or of octets without leading zeros. */
function actionsOf(attributes: unknown): readonly string[] {
  const short = at(attributes, 'extended-community');
  const long = at(attributes, 'attribute-0x19-0xC0');
  return [
    ...(Array.isArray(short) ? short : []).map((one) => hexNumber(BigInt(String(at(one, 'value'))), 8)),
    ...(long === undefined ? [] : [ipv6Action(String(long))]),
  ];
}

/** A community that it knows has a text of its own. */
function isOpaque(attributes: unknown): boolean {
  const short = at(attributes, 'extended-community');
  return (
    (Array.isArray(short) && short.some((one) => at(one, 'string') === '')) ||
    /^0x/.test(String(at(attributes, 'attribute-0x19-0xC0') ?? ''))
  );
}

function ipv6Action(text: string): string {
  const [, word, address = ''] = /^(redirect|copy)-to-nexthop-ietf (\S+)/.exec(text) ?? [];
  if (word !== undefined) return `000c${addressHex(address)}${word === 'copy' ? '0001' : '0000'}`;
  return text.replace('0x', '').toLowerCase().padStart(40, '0');
}

const NUMERIC: Readonly<Record<string, NumericType>> = {
  protocol: 3,
  'next-header': 3,
  port: 4,
  'destination-port': 5,
  'source-port': 6,
  'icmp-type': 7,
  'icmp-code': 8,
  'packet-length': 10,
  dscp: 11,
  'traffic-class': 11,
  'flow-label': 13,
};

const WORDS: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  'echo-reply': 0,
  unreachable: 3,
  'echo-request': 8,
};

/** Components from the text of the rule; the JSON beside it splits `syn+ack` in two. */
function componentsOf(flow: unknown): readonly ComponentJson[] {
  const text = String(at(flow, 'string'))
    .replace(/^flow /, '')
    .replace(/ next-hop \S+$/, '');
  return [...text.matchAll(/([a-z0-9-]+) (?:\[ ([^\]]*) \]|(\S+))/g)].map(([, name = '', several, one]) => {
    const values = (several ?? one ?? '').split(' ');
    if (name.startsWith('destination-ipv')) return prefixJson(1, values[0] ?? '');
    if (name.startsWith('source-ipv')) return prefixJson(2, values[0] ?? '');
    const type = NUMERIC[name];
    if (type !== undefined) return { type, ops: values.flatMap(numbers) };
    if (name === 'tcp-flags') return { type: 9, ops: values.flatMap(masks) };
    if (name === 'fragment') return { type: 12, ops: values.flatMap(masks) };
    throw new Error(`exabgp shows "${text}", which no test has met yet`);
  });
}

/** `=53`, `>=100&<=200`, `=udp`. */
function numbers(text: string): readonly NumericOpJson[] {
  return text.split('&').map((part, index) => {
    const [, symbol = '', word = ''] = /^([<>=!]+)([\w-]+)$/.exec(part) ?? [];
    const value = WORDS[word.toLowerCase()] ?? Number(word);
    if (word === '' || !Number.isInteger(value))
      throw new Error(`exabgp shows "${text}", which no test has met yet`);
    return compare(symbol, value, index > 0);
  });
}

const FLAGS: Readonly<Record<string, number>> = {
  fin: 1,
  syn: 2,
  rst: 4,
  push: 8,
  ack: 16,
  urgent: 32,
  'dont-fragment': 1,
  'is-fragment': 2,
  'first-fragment': 4,
  'last-fragment': 8,
};

/** `=syn+ack`, `!fin`. */
function masks(text: string): readonly BitmaskOpJson[] {
  return text.split('&').map((part, index) => {
    const [, signs = '', words = ''] = /^([=!]*)(.+)$/.exec(part) ?? [];
    const value = words.split('+').reduce((sum, word) => sum | (FLAGS[word.toLowerCase()] ?? 0x10000), 0);
    if (value > 0xffff) throw new Error(`exabgp shows "${text}", which no test has met yet`);
    return { and: index > 0, not: signs.includes('!'), match: signs.includes('='), value };
  });
}
