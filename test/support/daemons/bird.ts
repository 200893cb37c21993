/** BIRD (Debian: bird2). Dials within a second, or waits to be called. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, output, start, until } from '../children.ts';
import {
  addressHex,
  type BitmaskOpJson,
  between,
  type ComponentJson,
  compare,
  float32,
  hexNumber,
  type NumericOpJson,
  type NumericType,
  prefixJson,
} from '../rule-json.ts';
import type { Daemon, DaemonConfig, PeerConfig, TableRule } from './daemon.ts';

export interface Bird extends Daemon {
  readonly kind: 'bird';
  readonly pid: number;
  /** Runs `birdc` against this daemon. */
  command(...args: readonly string[]): Promise<string>;
  /** Takes up other originated rules without a restart of the sessions. */
  originate(text: string): Promise<void>;
}

function peerText(config: DaemonConfig, peer: PeerConfig, index: number): string {
  const channel = (family: 4 | 6): string =>
    `flow${family} { table flow${family}tab; import all; export where source = RTS_STATIC; };`;
  return [
    `protocol bgp peer${index} {`,
    `  local ${config.address} port ${config.port} as ${config.asn};`,
    `  neighbor ${peer.address} ${peer.dial === undefined ? '' : `port ${peer.dial} `}as ${peer.asn};`,
    `  multihop ${peer.ttlSecurity === true ? 1 : 2}; strict bind yes; hold time ${peer.holdTime ?? 30};`,
    ...(peer.ttlSecurity === true ? ['  ttl security on;'] : []),
    `  ${peer.dial === undefined ? 'passive on;' : 'connect delay time 1; connect retry time 1;'}`,
    '  error wait time 1, 2; error forget time 1;',
    ...(peer.md5Password === undefined ? [] : [`  password "${peer.md5Password}";`]),
    peer.restarting === undefined
      ? `  graceful restart ${peer.helper === true ? 'aware' : 'off'};`
      : `  graceful restart on; graceful restart time ${peer.restarting};`,
    ...(peer.families.includes('ipv4-flowspec') ? [`  ${channel(4)}`] : []),
    ...(peer.families.includes('ipv6-flowspec') ? [`  ${channel(6)}`] : []),
    ...([4, 6] as const)
      .filter((family) => peer.families.includes(`ipv${family}-unicast`))
      .map((family) => {
        const taken = peer.unicastImport === undefined ? 'all' : `filter ${peer.unicastImport}`;
        // The session has IPv4 addresses: bird has no IPv6 next hop of its own then.
        const own = family === 6 ? ' next hop address 2001:db8:ffff::1;' : '';
        return `  ipv${family} { import ${taken}; export all;${own} };`;
      }),
    '}',
  ].join('\n');
}

function birdConfig(config: DaemonConfig, originate: string): string {
  const routes = originate.split('\n').map((line) => line.trim());
  const of = (family: 4 | 6): string =>
    routes
      .filter((line) => line.startsWith(`route flow${family}`))
      .map((line) => `  ${line}`)
      .join('\n');
  return [
    `router id ${config.routerId};`,
    'log stderr all;',
    'flow4 table flow4tab;',
    'flow6 table flow6tab;',
    'protocol device { }',
    ...(config.statements === undefined ? [] : [config.statements]),
    `protocol static own4 { flow4 { table flow4tab; };\n${of(4)}\n}`,
    `protocol static own6 { flow6 { table flow6tab; };\n${of(6)}\n}`,
    ...config.peers.map((peer, index) => peerText(config, peer, index)),
    '',
  ].join('\n');
}

/** Starts bird and waits until it answers its control socket. `recover` starts it as after a crash (graceful restart). */
export async function startBird(config: DaemonConfig, recover = false): Promise<Bird> {
  const folder = await mkdtemp(join(tmpdir(), 'bird-'));
  const file = join(folder, 'bird.conf');
  const socket = join(folder, 'bird.ctl');
  const configText = birdConfig(config, config.originate ?? '');
  await writeFile(file, configText);
  const program = findProgram('bird') ?? 'bird';
  const client = findProgram('birdc') ?? 'birdc';
  const running = start(program, [
    '-f',
    ...(recover ? ['-R'] : []),
    '-c',
    file,
    '-s',
    socket,
    '-P',
    join(folder, 'pid'),
  ]);
  const command = (...args: readonly string[]): Promise<string> => output(client, ['-s', socket, ...args]);
  const stop = async (signal?: NodeJS.Signals): Promise<void> => {
    await running.stop(signal);
    await rm(folder, { recursive: true, force: true });
  };
  let version = '';
  try {
    version = await until('bird answers', async () => {
      if (running.ended) return 'ended';
      return /^BIRD \S+/m.exec(await command('show', 'status'))?.[0];
    });
    if (running.ended) throw new Error(`bird ended: ${running.log()}`);
  } catch (error) {
    await stop('SIGKILL');
    throw error;
  }
  const tableText = (family: string): Promise<string> =>
    command('show', 'route', 'table', family.startsWith('ipv4') ? 'flow4tab' : 'flow6tab', 'all');
  return {
    kind: 'bird',
    pid: running.pid,
    config,
    version,
    configText,
    command,
    async originate(text) {
      await writeFile(file, birdConfig(config, text));
      const answer = await command('configure');
      if (!/Reconfigured|Reconfiguration in progress/.test(answer)) throw new Error(answer);
    },
    async established(peerAddress) {
      const index = config.peers.findIndex((peer) => peer.address === peerAddress);
      return /\bEstablished\s*$/m.test(await command('show', 'protocols', `peer${index}`));
    },
    rules: async (family) => parseBirdTable(await tableText(family)),
    count: async (family) => parseBirdTable(await tableText(family)).length,
    tableText,
    log: running.log,
    stop,
  };
}

/** Rules of `show route table ... all`. */
export function parseBirdTable(text: string): readonly TableRule[] {
  const rules: TableRule[] = [];
  for (const block of text.split(/^(?=flow[46] \{)/m)) {
    const [, body, dots] = /^flow[46] \{ (.*?)( \.\.\.)?\s?\}/.exec(block) ?? [];
    if (body === undefined) continue;
    const components = (dots === undefined ? body : body.slice(0, body.lastIndexOf(',')))
      .split(';')
      .map((part) => part.trim())
      .filter((part) => part !== '')
      .map(birdComponent);
    const rate = /\(generic, 0x8006[0-9a-f]{4}, 0x([0-9a-f]+)\)/.exec(block)?.[1];
    rules.push({
      components,
      rate: rate === undefined ? null : float32(Number.parseInt(rate, 16)),
      actions: birdActions(block),
      // It names no community of FlowSpec.
      opaque: true,
      verbatim: block.trim(),
      ...(dots === undefined ? {} : { cut: true }),
    });
  }
  return rules;
}

/**
 * `(generic, 0x80060000, 0x49927c00)`, `(unknown 0x10c, 192.0.2.77, 0)`; IPv6 address specific ones are an attribute that
 * it does not know and shows in octets: `BGP.19 [t]: 00 0c 20 01 ...`.
 */
function birdActions(block: string): readonly string[] {
  const short = [...block.matchAll(/\((?:generic,|unknown) ([^)]*)\)/g)].map(([, words = '']) => {
    const [first = '', second = '', third = ''] = words.split(', ');
    return third === ''
      ? hexNumber(Number(first), 4) + hexNumber(Number(second), 4)
      : hexNumber(Number(first), 2) + addressHex(second) + hexNumber(Number(third), 2);
  });
  const long = /^\tBGP\.19 \[t\]: ([0-9a-f ]+)$/m.exec(block)?.[1]?.replaceAll(' ', '') ?? '';
  return [...short, ...(long.match(/.{1,40}/g) ?? [])];
}

const NUMERIC: Readonly<Record<string, NumericType>> = {
  proto: 3,
  'next header': 3,
  port: 4,
  dport: 5,
  sport: 6,
  'icmp type': 7,
  'icmp code': 8,
  length: 10,
  dscp: 11,
  label: 13,
};

const FRAGMENTS: Readonly<Record<string, number>> = {
  dont_fragment: 1,
  is_fragment: 2,
  first_fragment: 4,
  last_fragment: 8,
};

function birdComponent(text: string): ComponentJson {
  const [, name = '', rest = ''] =
    /^(dst|src|proto|next header|port|dport|sport|icmp type|icmp code|tcp flags|length|dscp|fragment|label) (.*)$/.exec(
      text,
    ) ?? [];
  if (name === 'dst' || name === 'src')
    return prefixJson(name === 'dst' ? 1 : 2, rest.replace(' offset ', '/'));
  const type = NUMERIC[name];
  if (type !== undefined) return { type, ops: rest.split(/,| \|\| /).flatMap(birdNumbers) };
  if (name === 'tcp flags') return { type: 9, ops: birdMasks(rest) };
  if (name === 'fragment') return { type: 12, ops: birdMasks(rest) };
  throw new Error(`bird shows "${text}", which no test has met yet`);
}

/** One alternative: `53`, `100..200`, `> 100 && < 1500`. */
function birdNumbers(text: string): readonly NumericOpJson[] {
  const range = /^\s*(\d+)\.\.(\d+)\s*$/.exec(text);
  if (range !== null) return between(Number(range[1]), Number(range[2]));
  return text.split('&&').map((part, index) => {
    const [, symbol, value] = /^\s*([<>=!]*)\s*(\d+)\s*$/.exec(part) ?? [];
    if (value === undefined) throw new Error(`bird shows "${text}", which no test has met yet`);
    return compare(symbol === '' || symbol === undefined ? '=' : symbol, Number(value), index > 0);
  });
}

/** `0x12/0x12 || !0x1/0x1`; fragments by name. `!` in front negates, `!!` stands for "any of these bits". */
function birdMasks(text: string): readonly BitmaskOpJson[] {
  return text.split(/,| \|\| /).flatMap((alternative) =>
    alternative.split('&&').map((part, index) => {
      const [, bangs = '', word = ''] = /^\s*(!*)(\S+)\s*$/.exec(part) ?? [];
      const value = FRAGMENTS[word] ?? Number(word.split('/')[0]);
      if (!Number.isInteger(value)) throw new Error(`bird shows "${text}", which no test has met yet`);
      return { and: index > 0, not: bangs.length === 1, match: bangs.length < 2, value };
    }),
  );
}
