/** An event as everybody outside sees it. */
import type { z } from 'zod';
import { tcpFlagWords } from '../core/refinement.ts';
import type { EventRecord } from '../core/types.ts';
import { timeText } from '../net/time.ts';
import type { EventSchema } from './schemas.ts';
import { protocolOrNull, timeOrNull } from './values.ts';

export function eventView(event: EventRecord): z.output<typeof EventSchema> {
  const { detection } = event;
  return {
    event_id: event.id,
    external_event_id: detection.externalId,
    received_at: timeText(event.receivedAt),
    timestamp: timeOrNull(detection.at),
    source: detection.source,
    action: detection.action,
    victim_ip: detection.victim,
    vector: detection.vector,
    protocol: protocolOrNull(detection.protocol),
    bps: detection.bps,
    pps: detection.pps,
    confidence: detection.confidence,
    top_dst_ports: [...detection.ports],
    top_src_ports: [...(detection.traits?.srcPorts ?? [])],
    tcp_flags: tcpFlagWords(detection.traits ?? {}),
    status: event.status,
    reason: event.refusal,
    mitigation_id: event.mitigationId,
    why: [...event.why],
    raw_details: { ...detection.details },
  };
}
