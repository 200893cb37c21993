/** Defines `detectors`: how the reports of each source are read and held. */
import { z } from 'zod';
import { HOLD_MODES } from '../../core/types.ts';
import { decimal, oneOf, words } from '../../core/policy/value-kinds.ts';
import { DEFAULT_LABELS, type LabelMap } from '../../intake/alertmanager.ts';
import { seconds, vector } from './fields.ts';
import { webhooks } from './webhook-schema.ts';

export const hold = oneOf(HOLD_MODES);

/** Defaults to the labels that are recognized without configuration. */
function labels(meaning: keyof LabelMap) {
  return z
    .array(words)
    .min(1)
    .default([...DEFAULT_LABELS[meaning]]);
}

const labelMap = z.strictObject({
  victim_ip: labels('victim_ip').describe('Address under attack.'),
  vector: labels('vector').describe('Kind of attack.'),
  protocol: labels('protocol').describe('IP protocol by name or number.'),
  bps: labels('bps').describe('Bits per second.'),
  pps: labels('pps').describe('Packets per second.'),
  confidence: labels('confidence').describe('Confidence, 0 to 1.'),
  top_dst_ports: labels('top_dst_ports').describe('Destination ports, separated by commas or spaces.'),
  top_src_ports: labels('top_src_ports').describe('Source ports, separated by commas or spaces.'),
  tcp_flags: labels('tcp_flags').describe('TCP flags of all packets, such as `syn,!ack`.'),
  source: labels('source').describe("The detector's name."),
});

/** Keys of every detector. */
const detectorKeys = {
  hold: hold
    .optional()
    .describe(
      '`until_released`: the detector reports the end of an attack, and the TTL is renewed until then; `until_ttl`: it repeats its report. Default: `until_released` for FastNetMon, Alertmanager and Grafana, otherwise `until_ttl`.',
    ),
  confidence: decimal(0, 1)
    .optional()
    .describe('Confidence of a report that gives none. Default: none, so the mitigation does not escalate.'),
  repeat_seconds: seconds(1)
    .optional()
    .describe(
      'How often the detector repeats its report while an attack lasts. `prefixd check` warns if rules would expire in between. Default: 4 h for Alertmanager and Grafana, never for FastNetMon, otherwise unknown.',
    ),
  vector_map: z
    .record(words, vector)
    .default({})
    .describe("prefixd's vectors by the detector's own names, besides the built-in aliases."),
};

const detector = z.strictObject(detectorKeys);

/** The detectors whose own message format is supported. */
const knownDetectors = z.object({
  alertmanager: z
    .strictObject({
      ...detectorKeys,
      labels: labelMap
        .prefault({})
        .describe(
          'Labels (or else annotations) of an alert by meaning; the first one that the alert has is used.',
        ),
    })
    .prefault({})
    .describe('Alertmanager. The labels also apply to Grafana.'),
  fastnetmon: detector.prefault({}).describe('FastNetMon, both editions.'),
  grafana: detector.prefault({}).describe('Grafana.'),
});

export const detectors = knownDetectors
  .extend({
    webhooks: webhooks
      .default({})
      .describe('Webhooks of other systems, whose JSON is mapped to events, by name.'),
  })
  .catchall(
    detector.describe(
      'Any other detector, by the `source` of its events. Names that begin with `x-` are ignored.',
    ),
  );

/** The settings of one source. */
export type DetectorEntry = z.output<typeof detector>;

/** Lists the sources with their settings; `webhooks` is not one of them. */
export function sourcesIn<Entry extends object | undefined>(section: {
  readonly grafana?: Entry;
}): readonly (readonly [source: string, entry: Entry])[] {
  return Object.entries<Entry>(section as Readonly<Record<string, Entry>>).filter(
    ([source]) => source !== 'webhooks',
  );
}

/** The sources whose message formats are built in. */
export const KNOWN_DETECTORS: readonly string[] = Object.keys(knownDetectors.shape);
