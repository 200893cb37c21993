/** The attacks that the demo replays, as a detector would report them: one of each outcome worth seeing. */

export interface DemoAttack {
  /** What happens, for the reader of the terminal. */
  readonly story: string;
  readonly event: Readonly<Record<string, unknown>>;
}

export const DEMO_ATTACKS: readonly DemoAttack[] = [
  {
    story: 'UDP flood against a DNS server, whose port 53 the inventory allows',
    event: {
      source: 'demo',
      victim_ip: '203.0.113.10',
      vector: 'udp_flood',
      bps: 4_720_000_000,
      pps: 1_180_400,
      confidence: 0.9,
    },
  },
  {
    story: 'NTP amplification',
    event: {
      source: 'demo',
      victim_ip: '203.0.113.77',
      vector: 'ntp_amplification',
      bps: 9_100_000_000,
      confidence: 0.95,
    },
  },
  {
    story: 'SYN flood against an IPv6 web server',
    event: {
      source: 'demo',
      victim_ip: '2001:db8:acd::20',
      vector: 'syn_flood',
      pps: 2_400_000,
      confidence: 0.8,
    },
  },
  {
    story: 'UDP flood against an address outside the inventory',
    event: {
      source: 'demo',
      victim_ip: '192.0.2.99',
      vector: 'udp_flood',
      bps: 1_000_000_000,
      confidence: 0.9,
    },
  },
];
