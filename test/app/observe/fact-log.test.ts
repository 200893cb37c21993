import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { logFacts } from '../../../src/app/observe/fact-log.ts';
import { initialState } from '../../../src/core/state/state.ts';
import { eventRecord, mitigation } from '../../http/support.ts';

test('a report that could not be read is a warning that says why', () => {
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => lines.push(line) });
  const event = eventRecord({
    status: 'rejected',
    refusal: 'invalid_report',
    mitigationId: null,
    why: ['the report could not be read', 'alerts[4].victim_ip: must be an address'],
  });
  logFacts(log, initialState(), () => '')([{ seq: 1, at: 0, fact: { type: 'event.received', event } }]);
  assert.equal(lines.length, 1);
  const line = JSON.parse(lines[0] ?? '');
  assert.equal(line.level, 40, 'warn');
  assert.match(line.why.join('\n'), /alerts\[4\]\.victim_ip/);
});

test("a mitigation's line has its action in words, and its scrubber", () => {
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => lines.push(line) });
  const follow = logFacts(log, initialState(), () => 'a rule');
  for (const action of [
    { type: 'divert', rateBps: null, scrubber: 'fra' },
    { type: 'police', rateBps: 5e6 },
  ] as const) {
    follow([{ seq: 1, at: 0, fact: { type: 'mitigation.created', mitigation: mitigation({ action }) } }]);
  }
  const [diverted, policed] = lines.map((line) => JSON.parse(line));
  assert.deepEqual([diverted.action, diverted.scrubber, diverted.rule], ['divert to fra', 'fra', 'a rule']);
  assert.deepEqual([policed.action, policed.scrubber], ['police at 5 Mbit/s', undefined]);
});
