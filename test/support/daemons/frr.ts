/** FRR's bgpd (Debian: frr). It takes FlowSpec rules and cannot originate them. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FamilyName } from '../../../src/bgp/wire/iana.ts';
import { findProgram, output, start, until } from '../children.ts';
import {
  type BitmaskOpJson,
  type ComponentJson,
  compare,
  type NumericOpJson,
  type NumericType,
  prefixJson,
} from '../rule-json.ts';
import type { Daemon, DaemonConfig, PeerConfig, TableRule } from './daemon.ts';

export interface Frr extends Daemon {
  readonly kind: 'frr';
  /** Runs one `vtysh` command line, or several one after the other. */
  command(...lines: readonly string[]): Promise<string>;
}

const FAMILY_WORDS: Readonly<Partial<Record<FamilyName, string>>> = {
  'ipv4-unicast': 'ipv4 unicast',
  'ipv6-unicast': 'ipv6 unicast',
  'ipv4-flowspec': 'ipv4 flowspec',
  'ipv6-flowspec': 'ipv6 flowspec',
};

function familyWords(family: FamilyName): string {
  const words = FAMILY_WORDS[family];
  if (words === undefined) throw new Error(`frr is not asked about ${family}`);
  return words;
}

function familyLines(family: FamilyName, { peers }: DaemonConfig): readonly string[] {
  const active = peers.filter((peer) => peer.families.includes(family));
  return [
    ` address-family ${familyWords(family)}`,
    ...active.map(({ address }) => `  neighbor ${address} activate`),
    ...active.flatMap(({ address, unicastImport }) =>
      family.endsWith('unicast') && unicastImport !== undefined
        ? [`  neighbor ${address} route-map ${unicastImport} in`]
        : [],
    ),
    ' exit-address-family',
  ];
}

function neighborLines(config: DaemonConfig, peer: PeerConfig): readonly string[] {
  const neighbor = ` neighbor ${peer.address}`;
  const hold = peer.holdTime ?? 30;
  return [
    `${neighbor} remote-as ${peer.asn}`,
    peer.dial === undefined ? `${neighbor} passive` : `${neighbor} port ${peer.dial}`,
    peer.ttlSecurity === true ? `${neighbor} ttl-security hops 1` : `${neighbor} ebgp-multihop 2`,
    `${neighbor} update-source ${config.address}`,
    `${neighbor} timers connect 1`,
    `${neighbor} timers ${Math.max(1, Math.floor(hold / 3))} ${hold}`,
    ...(peer.md5Password === undefined ? [] : [`${neighbor} password ${peer.md5Password}`]),
  ];
}

/** Starts bgpd without privileges of its own and waits until it answers vtysh. */
export async function startFrr(config: DaemonConfig): Promise<Frr> {
  const folder = await mkdtemp(join(tmpdir(), 'frr-'));
  await chmod(folder, 0o755);
  const configText = [
    'hostname frr',
    `router bgp ${config.asn}`,
    ` bgp router-id ${config.routerId}`,
    ' no bgp ebgp-requires-policy',
    ' no bgp default ipv4-unicast',
    ...config.peers.flatMap((peer) => neighborLines(config, peer)),
    ...(['ipv4-flowspec', 'ipv6-flowspec'] as const).flatMap((family) => familyLines(family, config)),
    ...(['ipv4-unicast', 'ipv6-unicast'] as const)
      .filter((family) => config.peers.some(({ families }) => families.includes(family)))
      .flatMap((family) => familyLines(family, config)),
    ...(config.statements === undefined ? [] : ['exit', config.statements]),
    '',
  ].join('\n');
  const file = join(folder, 'bgpd.conf');
  await writeFile(file, configText);
  const running = start(findProgram('bgpd') ?? 'bgpd', [
    '--no_kernel',
    '--no_zebra',
    '--skip_runas',
    '--log',
    'stdout',
    '-f',
    file,
    '-i',
    join(folder, 'bgpd.pid'),
    '--vty_socket',
    folder,
    '--vty_port',
    '0',
    '-l',
    config.address,
    '-p',
    String(config.port),
  ]);
  const vtysh = findProgram('vtysh') ?? 'vtysh';
  const command = (...lines: readonly string[]): Promise<string> =>
    output(vtysh, ['--vty_socket', folder, ...lines.flatMap((line) => ['-c', line])]);
  const stop = async (signal?: NodeJS.Signals): Promise<void> => {
    await running.stop(signal);
    await rm(folder, { recursive: true, force: true });
  };
  let version = '';
  try {
    version = await until('frr answers', async () => {
      if (running.ended) return 'ended';
      const answer = await command('show version', 'show bgp summary json');
      return answer.includes('routerId') || answer.includes('{')
        ? /FRRouting \S+/.exec(answer)?.[0]
        : undefined;
    });
    if (running.ended) throw new Error(`bgpd ended: ${running.log()}`);
  } catch (error) {
    await stop('SIGKILL');
    throw error;
  }
  const tableText = (family: FamilyName): Promise<string> =>
    command(`show bgp ${familyWords(family)} detail`);
  return {
    kind: 'frr',
    config,
    version,
    configText,
    command,
    async established(peerAddress) {
      return (await command(`show bgp neighbors ${peerAddress} json`)).includes('"bgpState":"Established"');
    },
    rules: async (family) => parseFrrTable(await tableText(family)),
    count: async (family) => parseFrrTable(await tableText(family)).length,
    tableText,
    log: running.log,
    stop,
  };
}

const NUMERIC: Readonly<Record<string, NumericType>> = {
  'IP Protocol': 3,
  Port: 4,
  'Destination Port': 5,
  'Source Port': 6,
  'ICMP Type': 7,
  'ICMP Code': 8,
  'Packet Length': 10,
  'DSCP field': 11,
  'Packet Flow Label': 13,
};

/** Rules of `show bgp ipv4|ipv6 flowspec detail`. */
export function parseFrrTable(text: string): readonly TableRule[] {
  return text
    .split(/^(?=BGP flowspec entry)/m)
    .filter((block) => block.startsWith('BGP flowspec entry'))
    .map((block) => {
      const components: ComponentJson[] = [];
      let rate: number | null = null;
      let nextHop: string | undefined;
      const actions: string[] = [];
      for (const line of block.split('\n').slice(1)) {
        const [, name = '', rest = ''] =
          /^\t(Destination Address|Source Address|IP Protocol|Port|Destination Port|Source Port|ICMP Type|ICMP Code|TCP Flags|Packet Length|DSCP field|Packet Fragment|Packet Flow Label) (.*)$/.exec(
            line,
          ) ?? [];
        if (name === 'Destination Address') components.push(prefixJson(1, rest));
        else if (name === 'Source Address') components.push(prefixJson(2, rest));
        else if (name === 'TCP Flags') components.push({ type: 9, ops: frrMasks(rest) });
        else if (name === 'Packet Fragment') components.push({ type: 12, ops: frrMasks(rest) });
        else {
          const type = NUMERIC[name];
          if (type !== undefined) components.push({ type, ops: frrNumbers(rest) });
        }
        const shown = /^\tFS:rate ([\d.]+)/.exec(line)?.[1];
        if (shown !== undefined) rate = Number(shown);
        // One line of actions, in words that hold blanks: `FS:rate 1200000.000000 FS:marking 46`.
        const words = /^\t((?:FS|NH|UNK):.*)$/.exec(line)?.[1];
        if (words !== undefined) actions.push(...words.trim().split(/ (?=(?:FS|NH|UNK):)/));
        nextHop ??= /^\tNLRI NH (\S+)/.exec(line)?.[1];
      }
      const verbatim = block.trim();
      const opaque = actions.some((words) => words.startsWith('UNK:'));
      return { components, rate, actions, opaque, verbatim, ...(nextHop === undefined ? {} : { nextHop }) };
    });
}

/**
 * frr writes AND and OR both as a comma. An upper bound behind a lower bound is taken for the range that it is in every
 * rule that is tested.
 */
function frrNumbers(text: string): readonly NumericOpJson[] {
  const ops: NumericOpJson[] = [];
  for (const part of text.trim().split(' , ')) {
    const [, symbol = '', value] = /^([<>=!]+) (\d+)$/.exec(part.trim()) ?? [];
    if (value === undefined) throw new Error(`frr shows "${text}", which no test has met yet`);
    const before = ops.at(-1);
    const closes = symbol.startsWith('<') && before?.gt === true && !before.lt;
    ops.push(compare(symbol, Number(value), closes));
  }
  return ops;
}

/** `= 18,|= ! 1`; `∋ 4` for "any of these bits". */
function frrMasks(text: string): readonly BitmaskOpJson[] {
  return text.split(/,(?=[&|])/).map((part) => {
    const [, joint = '', sign = '', bang, value] = /^([&|]?)(=|∋) (! )?(\d+)$/.exec(part.trim()) ?? [];
    if (value === undefined) throw new Error(`frr shows "${text}", which no test has met yet`);
    return { and: joint === '&', not: bang !== undefined, match: sign === '=', value: Number(value) };
  });
}
