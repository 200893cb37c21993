/** Converts values to the API's form: times to RFC 3339 in UTC, protocols to names. */
import type { z } from 'zod';
import type { Actor } from '../core/types.ts';
import { protocolName } from '../core/policy/vectors.ts';
import { timeText } from '../net/time.ts';
import type { ActorSchema } from './schemas.ts';

/** Formats a time like timeText; null for an absent one. */
export function timeOrNull(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : timeText(ms);
}

/** Returns a protocol's name; null for any. */
export function protocolOrNull(protocol: number | null | undefined): string | null {
  return protocol === null || protocol === undefined ? null : protocolName(protocol);
}

export function actorView(actor: Actor): z.output<typeof ActorSchema> {
  return {
    kind: actor.kind,
    name: actor.name,
    ...(actor.via === undefined ? {} : { via: actor.via }),
    ...(actor.issuer === undefined ? {} : { issuer: actor.issuer }),
    ...(actor.subject === undefined ? {} : { subject: actor.subject }),
    ...(actor.address === undefined ? {} : { address: actor.address }),
    ...(actor.requestId === undefined ? {} : { request_id: actor.requestId }),
  };
}
