/** Starts routers with a configuration from the documentation, and reads their rules. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram, output, type Running, start } from './children.ts';
import type { DaemonKind } from './daemons/daemon.ts';

/** Starts a chapter's router with the chapter's configuration, and reads its rules. */
export interface Chapter {
  readonly kind: DaemonKind;
  /** The router's address on the page. */
  readonly address: string;
  /** Configuration lines that it needs in addition to the chapter's. */
  readonly preamble?: string;
  run(place: Place): Running;
  table(place: Place): Promise<string>;
  /** The lines that let diversions and blackholes in. */
  readonly targets: {
    /** True if they are added to the chapter's first lines; else they replace them. */
    readonly added: boolean;
    /** Returns its tables of unicast routes. */
    table(place: Place): Promise<string>;
    /** What they show of the blackholed 203.0.113.77 and 2001:db8:acd::77. */
    readonly blackholed: readonly RegExp[];
    /** Of the diverted 203.0.113.78 and 2001:db8:acd::78. */
    readonly diverted: readonly RegExp[];
    /** What the table of rules shows of 203.0.113.79, redirected to 192.0.2.80. */
    readonly redirected: RegExp;
  };
}

export interface Place {
  readonly folder: string;
  readonly file: string;
  readonly address: string;
  readonly port: number;
  /** For the router's own control connection. */
  readonly controlPort: number;
}

/** Runs several commands, and returns what they print. */
const outputs = async (path: string, ...commands: readonly (readonly string[])[]): Promise<string> =>
  (await Promise.all(commands.map((command) => output(path, command)))).join('\n');

const program = (name: string): string => findProgram(name) ?? name;

/** Routers by their chapter's heading in docs/routers.md. */
export const CHAPTERS: Readonly<Record<string, Chapter>> = {
  FRR: {
    kind: 'frr',
    address: '127.0.0.4',
    run: ({ folder, file, address, port }) =>
      start(program('bgpd'), [
        ...['--no_kernel', '--no_zebra', '--skip_runas', '--log', 'stdout', '-f', file],
        ...['-i', join(folder, 'bgpd.pid'), '--vty_socket', folder, '--vty_port', '0'],
        ...['-l', address, '-p', String(port)],
      ]),
    table: ({ folder }) =>
      output(program('vtysh'), ['--vty_socket', folder, '-c', 'show bgp ipv4 flowspec detail']),
    targets: {
      added: true,
      table: ({ folder }) =>
        output(program('vtysh'), [
          ...['--vty_socket', folder],
          ...['ipv4', 'ipv6'].flatMap((family) => ['-c', `show bgp ${family} unicast`]),
        ]),
      // The discard addresses of its route-map.
      blackholed: [/203\.0\.113\.77\/32\s+192\.0\.2\.67\s/, /2001:db8:acd::77\/128\s+100::67\s/],
      diverted: [/203\.0\.113\.78\/32\s+192\.0\.2\.80\s/, /2001:db8:acd::78\/128\s+2001:db8:5c::80\s/],
      redirected: /203\.0\.113\.79\/32[\s\S]*?NH:192\.0\.2\.80:0/,
    },
  },
  BIRD: {
    kind: 'bird',
    address: '127.0.0.3',
    preamble: 'log stderr all;\n',
    run: ({ folder, file }) =>
      start(program('bird'), ['-f', '-c', file, '-s', join(folder, 'ctl'), '-P', join(folder, 'pid')]),
    table: ({ folder }) =>
      output(program('birdc'), ['-s', join(folder, 'ctl'), 'show', 'route', 'table', 'flow4tab', 'all']),
    targets: {
      added: false,
      table: ({ folder }) =>
        outputs(
          program('birdc'),
          ...[4, 6].map((version) => [
            ...['-s', join(folder, 'ctl'), 'show', 'route', 'table', `master${version}`, 'all'],
          ]),
        ),
      blackholed: [
        /^203\.0\.113\.77\/32 +blackhole [^*]*\*[\s\S]*?\(65535,666\)/m,
        /^2001:db8:acd::77\/128 +blackhole /m,
      ],
      diverted: [
        /^203\.0\.113\.78\/32 [\s\S]*?BGP\.next_hop: 192\.0\.2\.80\n/m,
        /^2001:db8:acd::78\/128 [\s\S]*?BGP\.next_hop: 2001:db8:5c::80\n/m,
      ],
      redirected: /203\.0\.113\.79\/32[\s\S]*?\(unknown 0x10c, 192\.0\.2\.80, 0\)/,
    },
  },
  GoBGP: {
    kind: 'gobgp',
    address: '127.0.0.1',
    run: ({ file, address, controlPort }) =>
      start(program('gobgpd'), ['-f', file, '--pprof-disable', '--api-hosts', `${address}:${controlPort}`]),
    table: ({ address, controlPort }) =>
      output(program('gobgp'), [
        ...['-u', address, '-p', String(controlPort), 'global', 'rib', '-a', 'ipv4-flowspec'],
      ]),
    targets: {
      added: true,
      table: ({ address, controlPort }) =>
        outputs(
          program('gobgp'),
          ...['ipv4', 'ipv6'].map((family) => [
            ...['-u', address, '-p', String(controlPort), 'global', 'rib', '-a', family],
          ]),
        ),
      blackholed: [
        /203\.0\.113\.77\/32\s+192\.0\.2\.67\s.*blackhole, no-export/,
        /2001:db8:acd::77\/128\s+100::66\s.*blackhole, no-export/,
      ],
      diverted: [/203\.0\.113\.78\/32\s+192\.0\.2\.80\s/, /2001:db8:acd::78\/128\s+2001:db8:5c::80\s/],
      redirected: /203\.0\.113\.79\/32[^\n]*192\.0\.2\.80/,
    },
  },
  ExaBGP: {
    kind: 'exabgp',
    address: '127.0.0.5',
    run: ({ folder, file }) =>
      start(program('exabgp'), [file], {
        cwd: folder,
        env: {
          'exabgp.daemon.user': process.getuid?.() === 0 ? 'root' : (process.env.USER ?? 'root'),
          'exabgp.daemon.drop': 'false',
          'exabgp.api.cli': 'false',
          'exabgp.log.level': 'ERR',
        },
      }),
    table: ({ folder }) => readFile(join(folder, 'received.jsonl'), 'utf8'),
    targets: {
      added: false,
      table: ({ folder }) => readFile(join(folder, 'received.jsonl'), 'utf8'),
      blackholed: [
        /65535, 666[^\n]*"192\.0\.2\.66": \[ \{ "nlri": "203\.0\.113\.77\/32"/,
        /65535, 666[^\n]*"100::66": \[ \{ "nlri": "2001:db8:acd::77\/128"/,
      ],
      diverted: [
        /"192\.0\.2\.80": \[ \{ "nlri": "203\.0\.113\.78\/32"/,
        /"2001:db8:5c::80": \[ \{ "nlri": "2001:db8:acd::78\/128"/,
      ],
      redirected: /192\.0\.2\.80[^\n]*203\.0\.113\.79\/32/,
    },
  },
};
