/** Reads a mitigation from an API answer, as far as a policy judges it. */
import type { Match, Mitigation, Range } from '../core/types.ts';
import { list, number, record, text } from './answer.ts';
import type { Fields } from './answer.ts';
import { CliError, Exit } from './context.ts';

export type JudgedMitigation = Pick<
  Mitigation,
  'victim' | 'customerId' | 'serviceId' | 'match' | 'ports' | 'excludedPorts' | 'action' | 'dryRun'
>;

/** Throws CliError when the daemon does not report the match of the rule, which is needed for a preview. */
export function readMitigation(shown: Fields): JudgedMitigation {
  return {
    victim: text(shown.victim_ip),
    customerId: idOf(shown.customer_id),
    serviceId: idOf(shown.service_id),
    ports: list(shown.dst_ports).map(Number),
    excludedPorts: list(shown.excluded_ports).map(Number),
    match: readMatch(shown.match),
    action:
      shown.action_type === 'discard'
        ? { type: 'discard', rateBps: null }
        : { type: 'police', rateBps: number(shown.rate_bps) },
    dryRun: shown.dry_run === true,
  };
}

function idOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function readMatch(value: unknown): Match {
  const shown = record(value);
  if (typeof shown.dst_prefix !== 'string') {
    throw new CliError(
      Exit.Other,
      'the daemon does not report the match of its rules: it is older than this command; upgrade and restart it',
    );
  }
  const tcpFlags = number(shown.tcp_flags);
  const packetLengths = ranges(shown.packet_lengths);
  return {
    dstPrefix: shown.dst_prefix,
    protocol: typeof shown.protocol === 'number' ? shown.protocol : null,
    dstPorts: ranges(shown.dst_ports),
    srcPorts: ranges(shown.src_ports),
    ...(typeof shown.src_prefix === 'string' ? { srcPrefix: shown.src_prefix } : {}),
    ...(packetLengths.length === 0 ? {} : { packetLengths }),
    ...(tcpFlags === 0 ? {} : { tcpFlags, tcpFlagsClear: number(shown.tcp_flags_clear) }),
    ...(shown.fragments === true ? { fragments: true } : {}),
  };
}

function ranges(value: unknown): readonly Range[] {
  return list(value).map((pair): Range => {
    const [from, to] = list(pair);
    return [number(from), number(to)];
  });
}
