/** The detectors' payloads, read by ingest/; what it refuses becomes a 400 that names the field. */
import type { Detection } from '../core/types.ts';
import { canonicalAddress } from '../net/prefix.ts';
import { invalidField } from './problem.ts';
import { parseProtocol } from './protocol.ts';
import { EventBody } from './schemas.ts';

/** The detections in a payload; throws HttpProblem 400 when it is none of the detector's. */
export type DetectorReader = (body: unknown) => readonly Detection[];

export const readEvent: DetectorReader = (body) => {
  const event = EventBody.parse(body);
  const victim = canonicalAddress(event.victim_ip);
  if (victim === undefined) throw invalidField('victim_ip', 'is not an IPv4 or IPv6 address');
  if (!/^[a-z0-9_]{1,64}$/.test(event.vector)) throw invalidField('vector', 'must match [a-z0-9_]{1,64}');
  const protocol = event.protocol == null ? null : parseProtocol(event.protocol);
  if (protocol === undefined) throw invalidField('protocol', 'is not an IP protocol by name or number');
  const at = event.timestamp == null ? null : new Date(event.timestamp).getTime();
  if (at !== null && Number.isNaN(at)) throw invalidField('timestamp', 'is not an RFC 3339 time');
  return [
    {
      externalId: event.event_id ?? null,
      source: event.source,
      action: event.action ?? 'ban',
      victim,
      vector: event.vector,
      protocol,
      bps: event.bps ?? null,
      pps: event.pps ?? null,
      confidence: event.confidence ?? null,
      ports: [...new Set(event.top_dst_ports ?? [])].slice(0, 64).sort((a, b) => a - b),
      at,
      details: {},
    },
  ];
};

export const readFastNetMon: DetectorReader = readEvent;
export const readAlertmanager: DetectorReader = readEvent;
