import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { buildInventory } from '../../src/core/policy/inventory.ts';
import { FeedIds } from '../../src/http/feed-ids.ts';
import { Feed, type FeedClient } from '../../src/http/routes/feed.ts';
import { eventRecord, FakeEngine, MITIGATION_ID, mitigation, POLICY } from './support.ts';

const INVENTORY = {
  customers: [
    { customer_id: 'acme', prefixes: ['203.0.113.0/24'] },
    { customer_id: 'rival', prefixes: ['198.51.100.0/24'] },
  ],
};
const RIVAL = mitigation({
  id: MITIGATION_ID.replace('0001', '00b2'),
  customerId: 'rival',
  victim: '198.51.100.7',
});

function world(client: Partial<FeedClient> = {}) {
  const engine = new FakeEngine();
  engine.policy = { ...POLICY, inventory: buildInventory(INVENTORY).inventory };
  const feed = new Feed(engine);
  const written: string[] = [];
  const state = { ended: false };
  const response = {
    on: () => response,
    end: () => {
      state.ended = true;
    },
    write: (text: string) => {
      written.push(text);
      return true;
    },
  };
  const add = () =>
    feed.add(response as unknown as ServerResponse, feed.durable, {
      client: 'name acme',
      scope: { customers: ['acme'] },
      ...client,
    });
  return { engine, feed, written, state, add };
}

describe('the feed of a customer', () => {
  it('has facts about that customer only, without numbers that count those of others', () => {
    const { engine, feed, written, add } = world();
    add();
    const { detection } = eventRecord();
    engine.record(
      { type: 'event.received', event: eventRecord() },
      { type: 'mitigation.created', mitigation: mitigation() },
      {
        type: 'event.received',
        event: eventRecord({
          id: 'e2',
          mitigationId: null,
          detection: { ...detection, victim: '198.51.100.7' },
        }),
      },
      { type: 'mitigation.created', mitigation: RIVAL },
      { type: 'mitigation.extended', id: RIVAL.id, change: { expiresAt: 1 } },
      { type: 'peer.disabled', peer: 'edge1', actor: { kind: 'operator', name: 'kim' }, reason: 'rival' },
      { type: 'control.paused', actor: { kind: 'operator', name: 'kim' }, reason: 'rival is attacked' },
      { type: 'mitigation.extended', id: MITIGATION_ID, change: { expiresAt: 2 } },
    );
    feed.close();
    const text = written.join('');
    assert.deepEqual(
      [...text.matchAll(/^event: (.*)$/gm)].map(([, type]) => type),
      ['event.received', 'mitigation.created', 'mitigation.extended'],
    );
    assert.doesNotMatch(text, /rival|198\.51|edge1|"seq"/);
    for (const [, id] of text.matchAll(/^id: (.*)$/gm)) assert.match(id ?? '', /^[0-9a-f]{32}$/);
  });

  it('resumes where it ended, with ids that lead back to their facts', () => {
    const { feed } = world();
    const scope = { customers: ['acme'] };
    assert.equal(feed.seqOf(scope, feed.idFor(scope, 4711)), 4711);
    // The number of a fact is no id here: a reader could count with it.
    assert.equal(feed.seqOf(scope, '4711'), undefined);
    assert.equal(new FeedIds().seqOf(feed.idFor(scope, 4711)), undefined);
    feed.close();
  });

  it('ends as soon as the reader may not read any more', () => {
    let allowed = true;
    const { engine, feed, written, state, add } = world({ isAllowed: () => allowed });
    add();
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    allowed = false;
    const before = written.length;
    engine.record({ type: 'mitigation.extended', id: MITIGATION_ID, change: { expiresAt: 2 } });
    assert.equal(state.ended, true);
    assert.equal(written.length, before);
    assert.equal(feed.readers, 0);
    feed.close();
  });
});
