/** What a rule matches, as data: for programs that would otherwise have to read operator notation. */
import { z } from 'zod';
import type { Match, Range } from '../core/types.ts';

const ranges = z
  .array(z.array(z.int()).length(2))
  .describe('Ranges, both ends included; empty: not restricted');

export const MatchSchema = z.object({
  dst_prefix: z.string(),
  src_prefix: z.string().nullable(),
  protocol: z.int().nullable().describe('IP protocol number; null: any'),
  dst_ports: ranges,
  src_ports: ranges,
  packet_lengths: ranges,
  tcp_flags: z.int().describe('Flags that must be set, as the octet of the TCP header; 0: not restricted'),
  tcp_flags_clear: z.int().describe('Flags that must not be set'),
  fragments: z.boolean().describe('Only fragments'),
});

export function matchView(match: Match): z.output<typeof MatchSchema> {
  return {
    dst_prefix: match.dstPrefix,
    src_prefix: match.srcPrefix ?? null,
    protocol: match.protocol,
    dst_ports: pairs(match.dstPorts),
    src_ports: pairs(match.srcPorts),
    packet_lengths: pairs(match.packetLengths ?? []),
    tcp_flags: match.tcpFlags ?? 0,
    tcp_flags_clear: match.tcpFlagsClear ?? 0,
    fragments: match.fragments ?? false,
  };
}

function pairs(list: readonly Range[]): number[][] {
  return list.map(([from, to]) => [from, to]);
}
