/** The API, alerts, the audit log and simulations show the same thing in the same way. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { alertOf } from '../../src/alert/alert.ts';
import { pagerdutyRequest } from '../../src/alert/incident-formats.ts';
import { webhookRequest } from '../../src/alert/webhook-format.ts';
import type { Fact } from '../../src/core/facts.ts';
import type { Mitigation } from '../../src/core/types.ts';
import { AuditTrail } from '../../src/store/audit/audit-entry.ts';
import { readAction } from '../../src/cli/shown-action.ts';
import { actionView } from '../../src/view/action-view.ts';
import { factView } from '../../src/view/fact.ts';
import { changeView, decidedMitigationView } from '../../src/view/mitigation.ts';
import { DecidedMitigationSchema } from '../../src/view/schemas.ts';
import { cli } from '../cli/harness.ts';
import { mitigation, NOON } from '../http/support.ts';

const EXPIRED: Mitigation = mitigation({ status: 'expired', endedAt: NOON + 120_000 });

/** Sends a mitigation to a webhook and to PagerDuty. */
function alerted(of: Mitigation, fact: Fact): readonly Record<string, unknown>[] {
  const alert = alertOf({ seq: 1, at: NOON, fact }, new Set(['mitigation.created']), 'iad1', () => of);
  assert.ok(alert !== undefined);
  const webhook = JSON.parse(webhookRequest(alert, 'https://hook.example/', undefined).body);
  const pagerduty = JSON.parse(pagerdutyRequest(alert, 'key').body);
  return [webhook.mitigation, pagerduty.payload.custom_details];
}

describe('a mitigation', () => {
  it('is the same in the API, in alerts and in the feed: protocols by name, withdrawn_at of withdrawn ones alone', () => {
    const fact: Fact = { type: 'mitigation.created', mitigation: EXPIRED };
    const view = JSON.parse(JSON.stringify(decidedMitigationView(EXPIRED)));
    assert.equal(view.protocol, 'udp');
    assert.deepEqual([view.withdrawn_at, view.ended_at], [null, '2026-11-23T12:02:00.000Z']);
    DecidedMitigationSchema.parse(view);
    for (const told of alerted(EXPIRED, fact)) assert.deepEqual(told, view);
    assert.deepEqual(JSON.parse(JSON.stringify(factView({ seq: 1, at: NOON, fact }).mitigation)), view);
  });

  it('is in the audit log under the names of the API', () => {
    const made = mitigation();
    const { after } = new AuditTrail().entryOf({
      seq: 1,
      at: NOON,
      fact: { type: 'mitigation.created', mitigation: made },
    });
    const view: Record<string, unknown> = decidedMitigationView(made);
    const keys = Object.keys(after ?? {});
    assert.ok(keys.length > 15);
    for (const key of keys) assert.deepEqual(after?.[key], view[key], key);
  });

  it('changes under the names of the API, in the feed and in the audit log', () => {
    const before = mitigation();
    const change = {
      match: { ...before.match, dstPorts: [] },
      ports: [],
      action: { type: 'discard', rateBps: null },
      step: 1,
      expiresAt: NOON + 600_000,
    } as const;
    const names = new Set(Object.keys(DecidedMitigationSchema.shape));
    for (const key of Object.keys(changeView(change))) assert.ok(names.has(key), key);
    const entry = new AuditTrail([before]).entryOf({
      seq: 1,
      at: NOON,
      fact: { type: 'mitigation.escalated', id: before.id, change },
    });
    assert.deepEqual(entry.after, { status: 'escalated', ...changeView(change) });
    const was: Record<string, unknown> = decidedMitigationView(before);
    for (const [key, value] of Object.entries(entry.before ?? {})) assert.deepEqual(value, was[key], key);
  });

  it('names where its traffic goes, in each of its views', () => {
    const nowhere = { scrubber: null, redirect_vrf: null, redirect_ip: null, redirect_copy: false };
    for (const [action, shown] of [
      [
        { type: 'redirect', rateBps: 5e6, target: { scrubber: 'fra' }, copy: true },
        { action_type: 'redirect', rate_bps: 5e6, ...nowhere, scrubber: 'fra', redirect_copy: true },
      ],
      [
        { type: 'redirect', rateBps: null, target: { vrf: '65010:666' } },
        { action_type: 'redirect', rate_bps: null, ...nowhere, redirect_vrf: '65010:666' },
      ],
      [
        { type: 'redirect', rateBps: null, target: { ip: '192.0.2.9' } },
        { action_type: 'redirect', rate_bps: null, ...nowhere, redirect_ip: '192.0.2.9' },
      ],
      [
        { type: 'divert', rateBps: null, scrubber: 'fra' },
        { action_type: 'divert', rate_bps: null, ...nowhere, scrubber: 'fra' },
      ],
      [
        { type: 'blackhole', rateBps: null },
        { action_type: 'blackhole', rate_bps: null, ...nowhere },
      ],
    ] as const) {
      assert.deepEqual(actionView(action), shown);
      const made = mitigation({ action });
      const view: Record<string, unknown> = decidedMitigationView(made);
      DecidedMitigationSchema.parse(view);
      const fact: Fact = { type: 'mitigation.created', mitigation: made };
      const { after } = new AuditTrail().entryOf({ seq: 1, at: NOON, fact });
      for (const told of [view, after ?? {}, changeView({ action }), ...alerted(made, fact)]) {
        for (const [key, value] of Object.entries(shown)) assert.deepEqual(told[key], value, key);
      }
      assert.deepEqual(readAction(shown), action);
    }
  });

  it('is printed by simulate in the same shape', async () => {
    const { stdout } = await cli(['simulate', '-', '-f', 'json', '--start', '2026-01-01T00:00:00Z'], {
      stdin: '{"source":"fnm","victim_ip":"203.0.113.10","vector":"udp_flood","confidence":0.9}\n',
    });
    const [first = ''] = stdout.split('\n');
    const { mitigation: shown, mitigation_id } = JSON.parse(first);
    const read = DecidedMitigationSchema.parse(shown);
    assert.deepEqual([read.mitigation_id, read.protocol], [mitigation_id, 'udp']);
  });
});
