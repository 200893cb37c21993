/** The flows at the end of FastNetMon's text: which destination ports an attack is aimed at. */
import { Protocol } from '../core/vectors.ts';

/** Ports that together carry this share of the packets are what the attack is aimed at. */
const AIMED_AT = 0.9;
/** With more ports than this it is aimed at no port in particular. */
const MOST_PORTS = 8;

/** `203.0.113.10:53 < 198.51.100.159:1783 750000 bytes 1500 packets` */
const FLOW = /^(\S+):(\d{1,5}) < \S+:\d{1,5} \d+ bytes (\d+) packets/;

/**
 * The few destination ports that nearly all packets of the listed incoming flows go to, ascending; empty when they
 * spread over many, when there are no flows, or when the protocol has no ports. Port 0 is what fragments are listed as.
 */
export function topPorts(text: string, victim: string, protocol: number | undefined): readonly number[] {
  const heading = protocol === Protocol.Tcp ? 'TCP flows:' : protocol === Protocol.Udp ? 'UDP flows:' : null;
  if (heading === null) return [];
  const packets = new Map<number, number>();
  let total = 0;
  let inSection = false;
  for (const line of text.split('\n')) {
    if (/^(TCP|UDP|ICMP) flows:/.test(line)) inSection = line.startsWith(heading);
    const flow = inSection ? FLOW.exec(line) : null;
    if (flow === null || flow[1] !== victim) continue;
    const [port, count] = [Number(flow[2]), Number(flow[3])];
    if (port < 1 || port > 65535) continue;
    packets.set(port, (packets.get(port) ?? 0) + count);
    total += count;
  }
  return aimedAt(packets, total);
}

function aimedAt(packets: ReadonlyMap<number, number>, total: number): readonly number[] {
  const ranked = [...packets].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, MOST_PORTS);
  const ports: number[] = [];
  let sum = 0;
  for (const [port, count] of ranked) {
    if (sum >= total * AIMED_AT) break;
    ports.push(port);
    sum += count;
  }
  return sum > 0 && sum >= total * AIMED_AT ? ports.sort((a, b) => a - b) : [];
}
