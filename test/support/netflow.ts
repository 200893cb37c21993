/** NetFlow v5 export packets, as a router sends them to a detector. */
import { ByteWriter } from '../../src/net/bytes.ts';
import { parseAddress } from '../../src/net/prefix.ts';

/** One flow. Addresses are IPv4. */
export interface Flow {
  readonly src: string;
  readonly dst: string;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly protocol: number;
  readonly packets: number;
  readonly octets: number;
}

export interface NetflowHeader {
  /** Flows sent before this packet. */
  readonly sequence: number;
  /** Milliseconds since the exporter started. */
  readonly uptime: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** A header of 24 octets and a record of 48 octets for each of up to 30 flows that lasted the second before. */
export function netflowV5(flows: readonly Flow[], { sequence, uptime, now }: NetflowHeader): Uint8Array {
  const writer = new ByteWriter(24 + 48 * flows.length);
  writer.u16(5).u16(flows.length).u32(uptime);
  writer.u32(Math.floor(now / 1000)).u32((now % 1000) * 1_000_000);
  // Sequence; engine type and id; no sampling.
  writer.u32(sequence).u16(0).u16(0);
  for (const flow of flows) {
    writer.bytes(address(flow.src)).bytes(address(flow.dst)).u32(0);
    // Interfaces in and out, counters, first and last packet.
    writer.u16(1).u16(2).u32(flow.packets).u32(flow.octets);
    writer.u32(uptime - 1000).u32(uptime);
    writer.u16(flow.srcPort).u16(flow.dstPort);
    // Padding, TCP flags, protocol, type of service.
    writer.u8(0).u8(0).u8(flow.protocol).u8(0);
    // AS numbers, prefix lengths, padding.
    writer.u16(64512).u16(64513).u8(24).u8(24).u16(0);
  }
  return writer.finish();
}

function address(text: string): Uint8Array {
  const octets = parseAddress(text);
  if (octets?.length !== 4) throw new Error(`"${text}" is not an IPv4 address`);
  return octets;
}
