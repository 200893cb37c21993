/** Measures that data kept from a detector's message does not keep the whole message in memory, for every endpoint. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Detection } from '../../src/core/types.ts';
import { parseJsonBody, parseNdjsonBody } from '../../src/http/body.ts';
import {
  readBatched,
  readEvent,
  readFastNetMon,
  readFastNetMonText,
  recordedProblems,
} from '../../src/http/detectors.ts';
import { alertReaders } from '../../src/intake/alertmanager.ts';
import { keptDetection } from '../../src/intake/kept.ts';
import type { Signal } from '../../src/intake/signal.ts';
import { keptText } from '../../src/net/text.ts';
import { retained } from '../support/retained.ts';

const LENGTH = 512 * 1024;
const COUNT = 40;

/** Returns the data that the API keeps of a message. */
function keptOf(signals: readonly Signal[]): readonly (Detection | readonly string[])[] {
  return signals.flatMap((signal) => {
    if (signal.kind === 'detection') return [keptDetection(signal.detection)];
    if (signal.kind === 'ignored') return [];
    const { remains, problems } = signal;
    return remains === undefined ? [] : [keptDetection(remains), recordedProblems(problems)];
  });
}

const padding = (i: number): string => `${i}`.padEnd(LENGTH, 'x');
const json = (value: unknown): unknown => parseJsonBody(JSON.stringify(value));
const EVENT = { source: 'the-detector-of-ours', victim_ip: '203.0.113.1', vector: 'memcached_amplification' };

/** Endpoints: each makes the signals of one message of half a mebibyte. */
const WAYS: Readonly<Record<string, (i: number) => readonly Signal[]>> = {
  'an event with long details': (i) => [
    readEvent(json({ ...EVENT, raw_details: { dump: padding(i) } }), undefined),
  ],
  'an event with long details in another script': (i) => [
    readEvent(json({ ...EVENT, raw_details: { dump: `${i}${'中'.repeat(LENGTH / 2)}` } }), undefined),
  ],
  'an event with an unknown key': (i) => [readEvent(json({ ...EVENT, note: padding(i) }), undefined)],
  'an event whose victim is long': (i) => [readEvent(json({ ...EVENT, victim_ip: padding(i) }), undefined)],
  'an event whose vector is written between blanks': (i) => [
    readEvent(json({ ...EVENT, vector: `Memcached Amplification${' '.repeat(LENGTH)}${i}` }), undefined),
  ],
  'an event whose figures are long': (i) => [
    readEvent(
      json({ ...EVENT, bps: padding(i), top_dst_ports: [padding(i)], tcp_flags: padding(i) }),
      undefined,
    ),
  ],
  'a batch, of whose lines one is no JSON': (i) =>
    parseNdjsonBody(`${JSON.stringify(EVENT)}\nnot json at all: ${padding(i)}\n`).map((line) =>
      readBatched(line, undefined),
    ),
  "FastNetMon's text": (i) =>
    readFastNetMonText(
      { ip: '203.0.113.1', direction: 'incoming', pps: '1000', action: 'ban' },
      `IP: 203.0.113.1\nAttack type: memcached_amplification\n${padding(i)}`,
      false,
      undefined,
    ),
  "FastNetMon's form": (i) =>
    readFastNetMonText(
      {},
      `ip=203.0.113.1&direction=incoming_by_another_name&pps=1000&action=ban&details=${padding(i)}`,
      true,
      undefined,
    ),
  "FastNetMon's arguments": (i) =>
    readFastNetMon(json({ args: ['203.0.113.1', 'incoming', '1000', 'ban'], stdin: padding(i) }), undefined),
  "FastNetMon Advanced's document": (i) =>
    readFastNetMon(
      json({
        ip: '203.0.113.1',
        action: 'ban',
        attack_details: { attack_uuid: `a-rather-long-uuid-${i}`, attack_type: padding(i) },
        packet_dump: [padding(i)],
      }),
      undefined,
    ),
  'an alert of Alertmanager': (i) => alerts({ version: '4' }, i),
  'an alert of Grafana': (i) => alerts({ orgId: 1 }, i),
};

function alerts(message: object, i: number): readonly Signal[] {
  const labels = {
    victim_ip: '203.0.113.1',
    vector: 'memcached_amplification',
    source: 'the-source-of-ours',
    long: padding(i),
  };
  const alert = { status: 'firing', labels, annotations: { summary: padding(i) }, valueString: padding(i) };
  const unreadable = {
    status: 'firing',
    labels: { vector: padding(i) },
    annotations: { summary: padding(i) },
  };
  return alertReaders(json({ ...message, alerts: [alert, unreadable] })).map((read) => read());
}

describe('what is kept', () => {
  for (const [way, signals] of Object.entries(WAYS)) {
    it(`of ${way} does not keep the message alive`, () => {
      assert.ok(keptOf(signals(0)).length > 0, 'something is kept');
      const each = retained(COUNT, (i) => keptOf(signals(i)));
      assert.ok(each < 100_000, `${Math.round(each)} bytes are kept of a message of half a mebibyte`);
    });
  }

  it('of a slice is a text of its own, where the slice alone keeps everything', () => {
    const slice = (i: number): string => padding(i).slice(0, 100);
    assert.ok(retained(COUNT, slice) > LENGTH / 2, 'this Node slices as it used to');
    assert.ok(retained(COUNT, (i) => keptText(slice(i), 255)) < 5_000);
  });
});
