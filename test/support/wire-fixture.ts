/** Describes the expectation beside a capture in fixtures/wire/: the commands given to two real daemons. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FamilyName } from '../../src/bgp/wire/iana.ts';
import type { ComponentJson } from './rule-json.ts';

export const WIRE_FOLDER = join(import.meta.dirname, '..', '..', 'fixtures', 'wire');

/** A rule, written by hand from the daemon's command and from the standard. */
export interface ExpectedRule {
  readonly components: readonly ComponentJson[];
  /** Family, if it differs from the step's. */
  readonly family?: FamilyName;
  /** Route distinguisher in hex, for SAFI 134. */
  readonly rd?: string;
  /** EXTENDED_COMMUNITIES, each 8 octets in hex; absent on a withdrawal. */
  readonly actions?: readonly string[];
  /** IPv6 address specific EXTENDED_COMMUNITIES (RFC 5701), each 20 octets in hex. */
  readonly longActions?: readonly string[];
  /** The next hop in hex, of a redirect in the form of draft 00. */
  readonly nextHop?: string;
  /** Describes how the daemon's encoding differs from the standard. */
  readonly deviates?: string;
}

/** A command to the sender, and the NLRI that it then sends. */
export interface FixtureStep {
  readonly what: string;
  /** In the sender's own language. */
  readonly command: string;
  readonly family: FamilyName;
  readonly announced: readonly ExpectedRule[];
  readonly withdrawn: readonly ExpectedRule[];
}

/** A daemon of the capture. */
export interface FixtureDaemon {
  readonly role: 'sender' | 'receiver';
  readonly version: string;
  readonly address: string;
  readonly asn: number;
  readonly routerId: string;
  /** Its configuration file, verbatim. */
  readonly configuration: string;
}

export interface ExpectedOpen {
  readonly families: readonly FamilyName[];
  readonly holdTime: number;
  /** Graceful restart capability with at least these. */
  readonly gracefulRestart?: { readonly restartTime: number; readonly restarting: boolean };
}

export interface WireFixture {
  readonly title: string;
  readonly daemons: readonly FixtureDaemon[];
  readonly steps: readonly FixtureStep[];
  /** OPEN messages of the sender in order. */
  readonly opens: readonly ExpectedOpen[];
  /** Families for which the sender sends End-of-RIB (RFC 4724 §2). */
  readonly endOfRib: readonly FamilyName[];
  readonly notifications: readonly {
    readonly from: 'sender' | 'receiver';
    readonly code: number;
    readonly subcode: number;
    /** Shutdown communication (RFC 9003). */
    readonly communication?: string;
  }[];
  readonly routeRefreshes: readonly {
    readonly from: 'sender' | 'receiver';
    readonly family: FamilyName;
    readonly subtype: number;
  }[];
  /** True if every segment carries a TCP MD5 signature (RFC 2385). */
  readonly md5: boolean;
  /** The receiver's own table, verbatim. */
  readonly tables: readonly {
    readonly after: string;
    readonly family: FamilyName;
    readonly text: string;
  }[];
}

/** Names of the fixtures that exist. */
export function wireFixtureNames(): readonly string[] {
  return readdirSync(WIRE_FOLDER)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort();
}

export function readWireFixture(name: string): { readonly pcap: Uint8Array; readonly fixture: WireFixture } {
  const fixture: WireFixture = JSON.parse(readFileSync(join(WIRE_FOLDER, `${name}.json`), 'utf8'));
  return { pcap: new Uint8Array(readFileSync(join(WIRE_FOLDER, `${name}.pcap`))), fixture };
}
