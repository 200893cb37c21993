/** Reads and writes allowed ports: `tcp/80-90, udp/53`. Pure. */
import type { ServiceData } from '../core/policy/inventory-schema.ts';
import type { AllowedPorts } from '../core/policy/ownership.ts';
import { MAX_PORT, normalRanges, readRange } from '../core/policy/ports.ts';
import type { Range } from '../core/types.ts';

const PROTOCOLS = ['tcp', 'udp'] as const;

/** Reads `udp/53, tcp/80-90` (commas or spaces); undefined if any part is invalid. */
export function parsePorts(text: string): AllowedPorts | undefined {
  const found: Record<(typeof PROTOCOLS)[number], Range[]> = { udp: [], tcp: [] };
  for (const part of text.split(/[\s,;]+/).filter(Boolean)) {
    const [, protocol, ports = ''] = /^(udp|tcp)\/(.+)$/i.exec(part) ?? [];
    const range = readRange(ports);
    if (protocol === undefined || range === undefined) return undefined;
    const [from, to] = range;
    if (from > to || to > MAX_PORT) return undefined;
    found[protocol.toLowerCase() === 'udp' ? 'udp' : 'tcp'].push(range);
  }
  return { udp: normalRanges(found.udp), tcp: normalRanges(found.tcp) };
}

/** Writes ports in the form that `parsePorts` reads; empty for none. */
export function formatPorts(ports: AllowedPorts): string {
  return PROTOCOLS.flatMap((protocol) =>
    ports[protocol].map(([from, to]) => `${protocol}/${from === to ? from : `${from}-${to}`}`),
  ).join(', ');
}

/** Returns ports in the form of inventory.yaml; undefined for none. */
export function portsData(ports: AllowedPorts): ServiceData['allowed_ports'] {
  const entry = (ranges: readonly Range[]): (number | string)[] =>
    ranges.map(([from, to]) => (from === to ? from : `${from}-${to}`));
  if (ports.udp.length + ports.tcp.length === 0) return undefined;
  return {
    ...(ports.udp.length === 0 ? {} : { udp: entry(ports.udp) }),
    ...(ports.tcp.length === 0 ? {} : { tcp: entry(ports.tcp) }),
  };
}
