/**
 * Writes intents and requests as text, and reads those of other POPs. What is read is untrusted: another version wrote
 * it, or somebody with access to the database. So every value has a bound, and addresses must be canonical.
 */
import { z } from 'zod';
import type { Intent } from '../core/intent.ts';
import type { Range } from '../core/types.ts';
import { canonicalAddress, formatPrefix, parsePrefix } from '../net/prefix.ts';
import { failed, ok, type Result } from '../net/result.ts';
import { cutText, parseJson, withoutControls } from '../net/text.ts';
import type { PopRequest } from './types.ts';

/** Longest texts that are written; longer ones are cut. */
const MOST_REASON = 500;
const MOST_WHY = 32;

const text = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[^\p{Cc}\u2028\u2029]*$/u);
const id = z.uuid().toLowerCase();
const pop = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/);
const port = z.int().min(0).max(65_535);

function isPrefix(value: string): boolean {
  const prefix = parsePrefix(value);
  return prefix.ok && formatPrefix(prefix.value) === value;
}

const prefix = z.string().max(64).refine(isPrefix, 'is not a canonical prefix');
const victim = z
  .string()
  .max(64)
  .refine(
    (value) => (value.includes('/') ? isPrefix(value) : canonicalAddress(value) === value),
    'is not a canonical address or prefix',
  );

/** Ascending, disjoint and not adjacent: the normal form of Match. */
const ranges = z
  .array(z.tuple([port, port]))
  .max(64)
  .refine((list) => list.every(([from, to], i) => from <= to && from > (list[i - 1]?.[1] ?? -2) + 1), {
    message: 'is not a list of ranges in normal form',
  })
  .transform((list): readonly Range[] => list);

const flags = z.int().min(0).max(255);

const match = z.strictObject({
  dstPrefix: prefix,
  srcPrefix: z.exactOptional(prefix),
  protocol: z.int().min(0).max(255).nullable(),
  dstPorts: ranges,
  srcPorts: ranges,
  packetLengths: z.exactOptional(ranges),
  tcpFlags: z.exactOptional(flags),
  tcpFlagsClear: z.exactOptional(flags),
  fragments: z.exactOptional(z.boolean()),
});

const rate = z.number().positive().max(1e15);
const scrubber = text(128).min(1);

const action = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('police'), rateBps: rate, shared: z.exactOptional(z.literal(true)) }),
  z.strictObject({ type: z.literal('discard'), rateBps: z.null() }),
  z.strictObject({
    type: z.literal('redirect'),
    rateBps: rate.nullable(),
    target: z.union([
      z.strictObject({ scrubber }),
      z.strictObject({ vrf: text(64).min(1) }),
      z.strictObject({ ip: z.string().refine((value) => canonicalAddress(value) === value) }),
    ]),
    copy: z.exactOptional(z.literal(true)),
  }),
  z.strictObject({ type: z.literal('divert'), rateBps: z.null(), scrubber }),
  z.strictObject({ type: z.literal('blackhole'), rateBps: z.null() }),
]);

const ports = z.array(port).max(1024);

const IntentSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('standing'),
    id,
    victim,
    vector: z.string().regex(/^[a-z0-9_]{1,64}$/),
    customerId: text(256).nullable(),
    match,
    ports,
    excludedPorts: ports,
    action,
    confidence: z.number().min(0).max(1).nullable(),
    playbook: text(256).nullable(),
    step: z.int().min(0).max(1000),
    reason: text(MOST_REASON),
    why: z.array(text(MOST_REASON)).max(MOST_WHY),
    createdAgoMs: z.number().min(0).max(1e12),
    pops: z
      .array(z.union([pop, z.literal('*')]))
      .min(1)
      .max(256),
    lifted: z.exactOptional(z.literal(true)),
  }),
  z.object({
    kind: z.literal('ended'),
    id,
    to: z.enum(['withdrawn', 'expired']),
    reason: text(MOST_REASON),
    actorName: text(128),
  }),
]);

/** Returns an intent as text, its texts cut to what is read. */
export function encodeIntent(intent: Intent): string {
  const reason = plain(intent.reason, MOST_REASON);
  if (intent.kind === 'ended') {
    return JSON.stringify({ ...intent, reason, actorName: plain(intent.actorName, 128) });
  }
  const why = intent.why.slice(-MOST_WHY).map((line) => plain(line, MOST_REASON));
  return JSON.stringify({ ...intent, reason, why });
}

/** Reads an intent of another POP. The error says what is wrong, without the text itself. */
export function decodeIntent(body: string): Result<Intent> {
  return read(IntentSchema, body);
}

const operator = text(128).min(1);
const reason = text(MOST_REASON).min(1);
const version = z.strictObject({ pop, epoch: z.int().min(0), n: z.int().min(0) });

const RequestSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('withdraw'), id, operator, reason }),
  z.object({ type: z.enum(['withdraw-all', 'pause', 'resume']), operator, reason }),
  z.object({ type: z.literal('safelist-add'), prefix, operator, reason, confirmed: z.boolean() }),
  z.object({ type: z.literal('safelist-remove'), prefix, operator, tags: z.array(version).max(256) }),
]);

export function encodeRequest(request: PopRequest): string {
  return JSON.stringify(request);
}

/** Reads a request of another POP. The error says what is wrong, without the text itself. */
export function decodeRequest(body: string): Result<PopRequest> {
  return read(RequestSchema, body);
}

function read<Value>(schema: z.ZodType<Value>, body: string): Result<Value> {
  const data = parseJson(body);
  if (data === undefined) return failed('it is not JSON');
  const parsed = schema.safeParse(data, { reportInput: false });
  if (parsed.success) return ok(parsed.data);
  const [issue] = parsed.error.issues;
  return failed(`${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'invalid'}`);
}

/** Returns a text on one line, cut. */
function plain(value: string, max: number): string {
  return cutText(withoutControls(value), max);
}
