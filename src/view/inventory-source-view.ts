/** Shows another system as a source of customers, in the API's form. */
import { z } from 'zod';
import { timeText } from '../net/time.ts';

/** Numbers of what a content has. */
interface SourceSizes {
  readonly customers: number;
  readonly prefixes: number;
  readonly assets: number;
  readonly safelist: number;
}

/** A copy of the system's answer. */
export interface SourceCopy {
  readonly digest: string;
  readonly readAt: number;
  readonly apiVersion: string | undefined;
  readonly size: SourceSizes;
  readonly notes: readonly { readonly text: string; readonly count: number; readonly example: string }[];
}

/** The state of a source. Times are milliseconds since the epoch. */
export interface SourceStatus {
  readonly source: string;
  readonly from: string;
  /** The copy in use; undefined: nothing was ever read. */
  readonly copy: SourceCopy | undefined;
  /** When the system last answered completely, also if nothing was new. */
  readonly lastSuccessAt: number | undefined;
  readonly nextReadAt: number | undefined;
  /** The read in progress. */
  readonly reading: { readonly since: number; readonly list: string; readonly objects: number } | undefined;
  readonly failure:
    | { readonly code: string; readonly text: string; readonly since: number; readonly attempts: number }
    | undefined;
  /** An answer that is not adopted until an operator accepts it. */
  readonly waiting:
    | {
        readonly copy: SourceCopy;
        readonly reason: string;
        readonly since: number;
        readonly lines: readonly string[];
        readonly count: number;
      }
    | undefined;
}

const CopySchema = z.object({
  digest: z.string().describe('Of its content; equal content has an equal digest'),
  read_at: z.iso.datetime(),
  api_version: z.string().nullable().describe("NetBox's API version"),
  customers: z.int(),
  prefixes: z.int(),
  assets: z.int(),
  safelist: z.int(),
  notes: z
    .array(z.object({ text: z.string(), count: z.int(), example: z.string() }))
    .describe('What was left out or decided while reading'),
});

export const SourceStatusSchema = z.object({
  source: z.string().describe('`netbox`, `http`, or `files`: there is no other source than inventory.yaml'),
  from: z.string().nullable().describe('Origin of inventory.url'),
  copy: CopySchema.nullable().describe('The copy in use; null: nothing was read yet'),
  last_success_at: z.iso.datetime().nullable().describe('Last complete answer, also if nothing was new'),
  next_read_at: z.iso.datetime().nullable(),
  reading: z.object({ since: z.iso.datetime(), list: z.string(), objects: z.int() }).nullable(),
  failure: z
    .object({ code: z.string(), text: z.string(), since: z.iso.datetime(), attempts: z.int() })
    .nullable()
    .describe('Why reads fail now; the copy stays in use'),
  waiting: z
    .object({
      digest: z.string(),
      reason: z.string(),
      since: z.iso.datetime(),
      differences: z.int(),
      customers: z.int(),
      prefixes: z.int(),
      assets: z.int(),
    })
    .nullable()
    .describe('An answer that waits for POST /v1/inventory/accept'),
});

export const SourceDiffSchema = z.object({
  digest: z.string().nullable().describe('Digest of the answer that waits; null: none waits'),
  reason: z.string().nullable(),
  differences: z.int().describe('Number of differences from the copy in use'),
  lines: z.array(z.string()).describe('The first 1,000 differences'),
});

const NO_SOURCE: z.output<typeof SourceStatusSchema> = {
  source: 'files',
  from: null,
  copy: null,
  last_success_at: null,
  next_read_at: null,
  reading: null,
  failure: null,
  waiting: null,
};

const timeOrNone = (at: number | undefined): string | null => (at === undefined ? null : timeText(at));

/** `status`: undefined if inventory.yaml is the only source. */
export function sourceStatusView(status: SourceStatus | undefined): z.output<typeof SourceStatusSchema> {
  if (status === undefined) return NO_SOURCE;
  const { copy, reading, failure, waiting } = status;
  return {
    source: status.source,
    from: status.from,
    copy: copy === undefined ? null : copyView(copy),
    last_success_at: timeOrNone(status.lastSuccessAt),
    next_read_at: timeOrNone(status.nextReadAt),
    reading: reading === undefined ? null : { ...reading, since: timeText(reading.since) },
    failure: failure === undefined ? null : { ...failure, since: timeText(failure.since) },
    waiting:
      waiting === undefined
        ? null
        : {
            digest: waiting.copy.digest,
            reason: waiting.reason,
            since: timeText(waiting.since),
            differences: waiting.count,
            customers: waiting.copy.size.customers,
            prefixes: waiting.copy.size.prefixes,
            assets: waiting.copy.size.assets,
          },
  };
}

export function sourceDiffView(status: SourceStatus | undefined): z.output<typeof SourceDiffSchema> {
  const waiting = status?.waiting;
  return {
    digest: waiting?.copy.digest ?? null,
    reason: waiting?.reason ?? null,
    differences: waiting?.count ?? 0,
    lines: [...(waiting?.lines ?? [])],
  };
}

function copyView({ digest, readAt, apiVersion, size, notes }: SourceCopy): z.output<typeof CopySchema> {
  return {
    digest,
    read_at: timeText(readAt),
    api_version: apiVersion ?? null,
    ...size,
    notes: notes.map((note) => ({ ...note })),
  };
}
