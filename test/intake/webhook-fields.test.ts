/** How one field of an event is read: paths, words, patterns, units and times. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type {
  AdapterSettings,
  FieldSettings,
  MappedField,
} from '../../src/intake/webhook/adapter-settings.ts';
import { compileAdapter } from '../../src/intake/webhook/compile-adapter.ts';
import { readPart, selectParts } from '../../src/intake/webhook/read-document.ts';
import { compileTimeFormat } from '../../src/intake/webhook/time-format.ts';

const VICTIM = { victim_ip: { constant: '203.0.113.10' } };

/** Reads one field of a part; the values in the event, or the problem. */
function read(field: MappedField, said: string | FieldSettings, part: unknown): unknown {
  const settings: AdapterSettings = { each: '$', ...VICTIM, [field]: said };
  const { adapter, problems } = compileAdapter('test', settings);
  assert.deepEqual(problems, []);
  assert.ok(adapter !== undefined);
  const [reading] = readPart(adapter, part, undefined, 10);
  assert.ok(reading !== undefined);
  return reading.event[field];
}

function notesOn(settings: Partial<AdapterSettings>, part: unknown): readonly string[] {
  const { adapter } = compileAdapter('test', { each: '$', ...VICTIM, ...settings });
  assert.ok(adapter !== undefined);
  const [reading] = readPart(adapter, part, undefined, 10);
  return reading?.signal.kind === 'detection' ? (reading.signal.detection.notes ?? []) : ['invalid'];
}

describe('a field', () => {
  const cases: readonly (readonly [
    what: string,
    field: MappedField,
    said: string | FieldSettings,
    part: unknown,
    value: unknown,
  ])[] = [
    ['a text with $ is a path', 'event_id', '$.id', { id: 'x' }, 'x'],
    ['any other text is a constant', 'source', 'kentik', {}, 'kentik'],
    ['a number becomes the text that an event needs', 'event_id', '$.id', { id: 12345678901 }, '12345678901'],
    ['the first path that is there', 'event_id', { path: ['$.a', '$.b', '$.c'] }, { b: 'B', c: 'C' }, 'B'],
    [
      'null, blanks and empty lists are not there',
      'event_id',
      { path: ['$.a', '$.b', '$.c', '$.d'] },
      { a: null, b: ' ', c: [], d: 'D' },
      'D',
    ],
    ['zero and false are there', 'bps', { path: ['$.a', '$.b'] }, { a: 0, b: 1 }, 0],
    [
      'words are mapped',
      'action',
      { path: '$.s', map: { alarm: 'ban', clear: 'unban' } },
      { s: 'clear' },
      'unban',
    ],
    ['whatever their case', 'action', { path: '$.s', map: { Alarm: 'ban' } }, { s: ' ALARM ' }, 'ban'],
    [
      'numbers and truth values are words, too',
      'action',
      { path: '$.s', map: { true: 'ban', false: 'unban' } },
      { s: false },
      'unban',
    ],
    [
      'a word that is a name of the prototype is no word of the map',
      'vector',
      { path: '$.s', map: { a: 'udp_flood' }, otherwise: 'unknown' },
      { s: 'constructor' },
      'unknown',
    ],
    [
      'the first pattern that matches',
      'vector',
      {
        path: '$.s',
        match: [
          ['(?i)ntp', 'ntp_amplification'],
          ['.', 'udp_flood'],
        ],
      },
      { s: 'NTP' },
      'ntp_amplification',
    ],
    [
      'a map comes before patterns',
      'vector',
      { path: '$.s', map: { ntp: 'syn_flood' }, match: [['ntp', 'ntp_amplification']] },
      { s: 'ntp' },
      'syn_flood',
    ],
    [
      'otherwise, if neither knows the word',
      'vector',
      { path: '$.s', match: [['ntp', 'ntp_amplification']], otherwise: 'unknown' },
      { s: 'x' },
      'unknown',
    ],
    ['otherwise, if there is none', 'confidence', { path: '$.c', otherwise: 0.5 }, {}, 0.5],
    [
      'the word itself without otherwise',
      'vector',
      { path: '$.s', map: { a: 'udp_flood' } },
      { s: 'SYN Flood' },
      'SYN Flood',
    ],
    ['scale', 'pps', { path: '$.n', scale: 1000 }, { n: 4.2 }, 4200],
    ['scale of a text', 'pps', { path: '$.n', scale: 1000 }, { n: '4.2' }, 4200],
    [
      'a text with its own unit keeps it',
      'bps',
      { path: '$.n', unit: 'kbit/s' },
      { n: '4.2 Gbps' },
      '4.2 Gbps',
    ],
    ['a percentage', 'confidence', { path: '$.n', scale: 0.01 }, { n: 85 }, 0.85],
    ['at most 1', 'confidence', { path: '$.n', scale: 0.01 }, { n: 130 }, 1],
    ['a list of ports', 'top_dst_ports', '$.p', { p: [80, 443] }, [80, 443]],
    ['several matches are a list', 'top_dst_ports', '$.p[*].n', { p: [{ n: 80 }, { n: 443 }] }, [80, 443]],
    ['a divided text', 'top_dst_ports', { path: '$.p', split: ';' }, { p: '80; 443;' }, ['80', '443']],
    [
      'divided words are mapped one by one',
      'tcp_flags',
      { path: '$.f', split: '|', map: { s: 'syn', a: 'ack' } },
      { f: 'S|A' },
      ['syn', 'ack'],
    ],
    [
      'a value that is an object is none',
      'vector',
      { path: '$.v', otherwise: 'unknown' },
      { v: { x: 1 } },
      'unknown',
    ],
    ['a constant number', 'bps', { constant: 5 }, {}, 5],
  ];
  for (const [what, field, said, part, value] of cases) {
    it(what, () => assert.deepEqual(read(field, said, part), value));
  }

  const units: readonly (readonly [unit: string, field: 'bps' | 'pps', factor: number])[] = [
    ['bit/s', 'bps', 1],
    ['kbit/s', 'bps', 1e3],
    ['Mbit/s', 'bps', 1e6],
    ['Gbit/s', 'bps', 1e9],
    ['bytes/s', 'bps', 8],
    ['kbytes/s', 'bps', 8e3],
    ['Mbytes/s', 'bps', 8e6],
    ['Gbytes/s', 'bps', 8e9],
    ['packets/s', 'pps', 1],
    ['kpps', 'pps', 1e3],
    ['Mpps', 'pps', 1e6],
  ];
  for (const [unit, field, factor] of units) {
    it(`in ${unit}`, () => assert.equal(read(field, { path: '$.n', unit }, { n: 3 }), 3 * factor));
  }

  it('with several values that should be one is explained in why', () => {
    assert.deepEqual(notesOn({ bps: '$.b[*]' }, { b: [1, 2] }), ['bps: the first of 2 values is used']);
  });

  it('that is a time of another form is ignored, and why says so', () => {
    const timestamp = { path: '$.t', format: 'YYYY-MM-DD HH:mm:ss UTC' };
    assert.deepEqual(notesOn({ timestamp }, { t: 'yesterday' }), [
      'timestamp ignored: "yesterday" does not have the configured format',
    ]);
  });
});

describe('a time', () => {
  const noon = Date.UTC(2026, 0, 31, 12);
  const cases: readonly (readonly [format: string, value: unknown, ms: number | undefined])[] = [
    ['YYYY-MM-DD HH:mm:ss UTC', '2026-01-31 12:00:00 UTC', noon],
    ['YYYY-MM-DD HH:mm:ss', '2026-01-31 12:00:00', noon],
    ['YYYY-MM-DDTHH:mm:ss.SSSZ', '2026-01-31T13:00:00.250+01:00', noon + 250],
    ['DD/MMM/YYYY:HH:mm:ss Z', '31/Jan/2026:14:00:00 +0200', noon],
    ['DD.MM.YYYY HH:mm', '31.1.2026 12:00', noon],
    ['epoch_seconds', 1769860800, noon],
    ['epoch_seconds', '1769860800.5', noon + 500],
    ['epoch_milliseconds', 1769860800000, noon],
    ['rfc3339', '2026-01-31T12:00:00Z', noon],
    ['YYYY-MM-DD HH:mm:ss UTC', '2026-01-31 12:00:00', undefined],
    ['YYYY-MM-DD HH:mm:ss', '2026-02-30 12:00:00', undefined],
    ['YYYY-MM-DD HH:mm:ss', '2026-01-31 25:00:00', undefined],
    ['DD/MMM/YYYY HH:mm', '31/Foo/2026 12:00', undefined],
    ['epoch_seconds', 'now', undefined],
    ['epoch_seconds', -1, undefined],
    ['epoch_milliseconds', 1e300, undefined],
    ['rfc3339', 17, undefined],
    ['YYYY-MM-DD HH:mm:ss', '9'.repeat(100_000), undefined],
  ];
  for (const [format, value, ms] of cases) {
    it(`${String(value).slice(0, 30)} as ${format}`, () => {
      const reader = compileTimeFormat(format);
      assert.ok(reader.ok, reader.ok ? '' : reader.error);
      assert.equal(reader.value(value), ms);
    });
  }

  it('has a closed list of tokens', () => {
    for (const format of [
      'YYYY-MM-DD hh:mm',
      'HH:mm',
      'YYYY-MM-DD',
      'YYYY-MM-DD HH:mm YYYY',
      'x'.repeat(65),
      'iso8601',
      '',
    ]) {
      assert.ok(!compileTimeFormat(format).ok, format);
    }
  });
});

describe('a part', () => {
  it('with several victims is several events, each with its own hold', () => {
    const { adapter } = compileAdapter('test', { each: '$', victim_ip: '$.ips', event_id: '$.id' });
    assert.ok(adapter !== undefined);
    const readings = readPart(
      adapter,
      { id: 7, ips: ['203.0.113.1', '203.0.113.2', '203.0.113.1'] },
      undefined,
      10,
    );
    const detections = readings.map(({ signal }) =>
      signal.kind === 'detection' ? signal.detection : undefined,
    );
    assert.deepEqual(
      detections.map((one) => [one?.victim, one?.alertId]),
      [
        ['203.0.113.1', '7/203.0.113.1'],
        ['203.0.113.2', '7/203.0.113.2'],
      ],
    );
  });

  it('of an alarm identifies its hold by the id, so that a repetition is no duplicate and not too old', () => {
    const { adapter } = compileAdapter('test', {
      each: '$',
      ...VICTIM,
      event_id: '$.id',
      timestamp: '$.began',
      action: { path: '$.s', map: { on: 'ban', off: 'unban' } },
    });
    assert.ok(adapter !== undefined);
    const read = (s: string) => {
      const [reading] = readPart(adapter, { id: 'a', began: '2026-01-31T12:00:00Z', s }, undefined, 10);
      assert.ok(reading?.signal.kind === 'detection');
      return reading.signal.detection;
    };
    const at = Date.UTC(2026, 0, 31, 12);
    const { externalId, alertId, at: time, beganAt, hold } = read('on');
    assert.deepEqual(
      { externalId, alertId, time, beganAt, hold },
      {
        externalId: null,
        alertId: 'a/203.0.113.10',
        time: null,
        beganAt: at,
        hold: 'until_released',
      },
    );
    assert.equal(read('off').endedAt, at);
    assert.equal(read('off').beganAt, undefined);
  });

  it('of a sender that never reports the end holds until its TTL', () => {
    const { adapter } = compileAdapter('test', { each: '$', ...VICTIM });
    assert.ok(adapter !== undefined);
    const [reading] = readPart(adapter, {}, undefined, 10);
    assert.ok(reading?.signal.kind === 'detection');
    assert.equal(reading.signal.detection.hold, undefined);
    assert.equal(reading.signal.detection.vector, 'unknown');
  });

  it('keeps its data as evidence, bounded', () => {
    const { adapter } = compileAdapter('test', { each: '$', ...VICTIM });
    assert.ok(adapter !== undefined);
    const [reading] = readPart(adapter, { flows: Array(5000).fill('x'.repeat(50)) }, undefined, 10);
    assert.ok(reading?.signal.kind === 'detection');
    assert.ok(JSON.stringify(reading.signal.detection.details).length < 20_000);
  });

  it('names an action that is unknown, and is refused', () => {
    const { adapter } = compileAdapter('test', {
      each: '$',
      ...VICTIM,
      action: { path: '$.s', map: { on: 'ban' } },
    });
    assert.ok(adapter !== undefined);
    const [reading] = readPart(adapter, { s: 'acknowledged' }, undefined, 10);
    assert.ok(reading?.signal.kind === 'invalid');
    assert.match(reading.signal.problems[0]?.message ?? '', /must be one of ban, unban/);
  });
});

describe('any document', () => {
  it('is read without a failure, and each of its events is an event or a problem', () => {
    const mapping: AdapterSettings = {
      each: '$..[?@.a || @.b]',
      victim_ip: { path: ['$.a', '$.b[*]'], split: ',' },
      event_id: '$.b',
      source: { path: '$..c', otherwise: 'test' },
      vector: { path: '$.a', map: { x: 'udp_flood' }, match: [['(?i)[a-z]+', 'syn_flood']] },
      bps: { path: '$.b', unit: 'Gbytes/s' },
      confidence: { path: '$.a', scale: 0.01 },
      timestamp: { path: '$.b', format: 'epoch_seconds' },
      action: { path: '$.c', map: { x: 'unban' }, otherwise: 'ban' },
      top_dst_ports: { path: '$.b', split: ' ' },
      tcp_flags: '$.a',
      protocol: '$.c',
    };
    const { adapter } = compileAdapter('test', mapping);
    assert.ok(adapter !== undefined);
    const key = fc.constantFrom('a', 'b', 'c', 'constructor', 'toString', '');
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small' },
        fc.oneof(
          fc.jsonValue({ maxDepth: 0 }),
          fc.constantFrom('203.0.113.10', '2001:db8::/32', 'x', 80, 1e308),
        ),
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(key, tie('tree'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(tree, (document) => {
        const parts = selectParts(adapter, document, 100);
        assert.ok(parts.ok);
        for (const part of parts.value) {
          for (const { signal } of readPart(adapter, part, undefined, 100)) {
            if (signal.kind === 'detection') JSON.stringify(signal.detection);
            else assert.ok(signal.kind === 'invalid' && signal.problems.length > 0);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('each', () => {
  it('that cannot be applied to a document is a problem of the document', () => {
    const { adapter } = compileAdapter('test', { each: '$[?@[*] == 1]', ...VICTIM });
    assert.equal(adapter, undefined, 'a comparison needs singular queries (RFC 9535 §2.3.5)');
  });

  it('selects nothing from a plain value', () => {
    const { adapter } = compileAdapter('test', { each: '$[*]', ...VICTIM });
    assert.ok(adapter !== undefined);
    for (const value of [null, 1, 'x', true]) {
      assert.deepEqual(selectParts(adapter, value, 10), { ok: true, value: [] });
    }
  });
});
