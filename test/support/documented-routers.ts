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
}

export interface Place {
  readonly folder: string;
  readonly file: string;
  readonly address: string;
  readonly port: number;
  /** For the router's own control connection. */
  readonly controlPort: number;
}

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
  },
  BIRD: {
    kind: 'bird',
    address: '127.0.0.3',
    preamble: 'log stderr all;\n',
    run: ({ folder, file }) =>
      start(program('bird'), ['-f', '-c', file, '-s', join(folder, 'ctl'), '-P', join(folder, 'pid')]),
    table: ({ folder }) =>
      output(program('birdc'), ['-s', join(folder, 'ctl'), 'show', 'route', 'table', 'flow4tab', 'all']),
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
  },
};
