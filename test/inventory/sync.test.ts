/** When the inventory is read, and what happens to an answer. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ContentChange } from '../../src/inventory/compare-content.ts';
import type { CopyHead } from '../../src/inventory/copy-file.ts';
import {
  type AdoptionOutcome,
  InventorySync,
  type InventorySyncOptions,
  type SyncReport,
} from '../../src/inventory/inventory-sync.ts';
import type { SourceOutcome } from '../../src/inventory/read-apart.ts';
import type { SourceOrder } from '../../src/inventory/source-messages.ts';
import { whyGuarded } from '../../src/inventory/shrink-guard.ts';
import { SETTINGS } from './reading.ts';

const ACTOR = { kind: 'system', name: 'prefixd' } as const;

function head(digest: string): CopyHead {
  const size = { customers: 1, prefixes: 10, assets: 0, safelist: 0 };
  return { from: 'https://netbox.example.net', readAt: 0, apiVersion: '4.6', digest, size, notes: [] };
}

const GROWN: ContentChange = {
  lines: ['prefix 10.0.0.0/8: added to acme'],
  count: 1,
  prefixesBefore: 10,
  prefixesLost: 0,
  customersLost: [],
};

/** A sync in simulated time, whose reads answer what the test says. */
function simulated(more: Partial<InventorySyncOptions> = {}) {
  let now = 1_000_000;
  let due: { at: number; callback: () => void } | undefined;
  const orders: SourceOrder[] = [];
  const reports: SyncReport[] = [];
  const answers: SourceOutcome[] = [];
  const adopted: string[] = [];
  let adoption: AdoptionOutcome = { type: 'adopted' };
  const sync = new InventorySync({
    settings: SETTINGS,
    folder: '/nowhere',
    copy: head('a'),
    read: async (order) => {
      orders.push(order);
      return answers.shift() ?? { type: 'same', as: 'in_use', head: head(order.inUse ?? ''), restore: false };
    },
    adopt: async (_content, { digest }) => {
      if (adoption.type === 'adopted') adopted.push(digest);
      return adoption;
    },
    restore: async () => undefined,
    attacked: () => new Set(),
    actor: ACTOR,
    after: (milliseconds, callback) => {
      const mine = { at: now + milliseconds, callback };
      due = mine;
      return () => {
        if (due === mine) due = undefined;
      };
    },
    clock: () => now,
    random: () => 1 - Number.EPSILON,
    onReport: (report) => reports.push(report),
    ...more,
  });
  return {
    sync,
    orders,
    reports,
    answers,
    adopted,
    adoptWith: (outcome: AdoptionOutcome) => {
      adoption = outcome;
    },
    /** Time to the next read (s). */
    next: () => (due === undefined ? undefined : (due.at - now) / 1000),
    /** Lets the next read take place. */
    step: async () => {
      const one = due;
      assert.ok(one !== undefined, 'nothing is due');
      due = undefined;
      now = one.at;
      one.callback();
      for (let i = 0; i < 20; i++) await Promise.resolve();
    },
    pass: (seconds: number) => {
      now += seconds * 1000;
    },
  };
}

function fresh(digest: string, change: ContentChange | undefined = GROWN): SourceOutcome {
  return {
    type: 'new',
    head: head(digest),
    change,
    content: async () => ({ customers: [], safelist: [] }),
    close: () => undefined,
  };
}

const failure = (code: 'unavailable' | 'unauthorized', retryAfterMs?: number): SourceOutcome => ({
  type: 'failed',
  failure: { code, text: `it ${code}`, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
});

describe('the inventory of another system', () => {
  it('is read at once after a start, and then regularly', async () => {
    const at = simulated();
    at.sync.start();
    assert.equal(at.next(), 0);
    await at.step();
    assert.equal(at.next(), 300);
    assert.equal(at.sync.status()?.lastSuccessAt, 1_000_000);
  });

  it('is asked for less and less often while reads fail, and as before after a success', async () => {
    const at = simulated();
    at.sync.start();
    const pauses: (number | undefined)[] = [];
    for (let i = 0; i < 7; i++) {
      at.answers.push(failure('unavailable'));
      await at.step();
      pauses.push(at.next());
    }
    assert.deepEqual(pauses, [10, 20, 40, 80, 160, 300, 300]);
    assert.equal(at.sync.status()?.failure?.attempts, 7);
    assert.deepEqual(
      at.reports.map((report) => report.type === 'failed' && report.isFirst),
      [true, false, false, false, false, false, false],
    );
    await at.step();
    assert.equal(at.next(), 300);
    assert.equal(at.sync.status()?.failure, undefined);
    assert.deepEqual(at.reports.slice(-2), [{ type: 'recovered' }, { type: 'unchanged' }]);
  });

  it('waits as long as the server asks for, and the webhook does not change that', async () => {
    const at = simulated();
    at.sync.start();
    at.answers.push(failure('unavailable', 1_800_000));
    await at.step();
    assert.equal(at.next(), 1800);
    at.sync.soon();
    assert.equal(at.next(), 1800);
  });

  it('does not hammer a server that refuses the token', async () => {
    const at = simulated();
    at.sync.start();
    at.answers.push(failure('unauthorized'));
    await at.step();
    assert.equal(at.next(), 300);
  });

  it('is read soon after webhooks, however many there are', async () => {
    const at = simulated();
    at.sync.start();
    await at.step();
    at.sync.soon();
    assert.equal(at.next(), 10);
    at.pass(60);
    for (let i = 0; i < 1000; i++) at.sync.soon();
    assert.equal(at.orders.length, 1);
    at.sync.adoptSettings({ ...SETTINGS, refreshSeconds: 3600 }, head('a'));
    await at.step();
    at.pass(60);
    for (let i = 0; i < 1000; i++) at.sync.soon();
    assert.equal(at.next(), 2);
    await at.step();
    assert.equal(at.orders.length, 3);
  });

  it('is adopted when it is new, and compared by its digest from then on', async () => {
    const at = simulated();
    at.answers.push(fresh('b'));
    assert.deepEqual(await at.sync.sync(ACTOR), { type: 'adopted' });
    assert.deepEqual(await at.sync.sync(ACTOR), { type: 'unchanged' });
    assert.deepEqual(
      at.orders.map(({ inUse }) => inUse),
      ['a', 'b'],
    );
  });

  it('waits if the engine asks for a confirmation, and is adopted by an operator', async () => {
    const at = simulated();
    at.answers.push(fresh('b'));
    at.adoptWith({ type: 'needs-confirmation', effect: 'it would withdraw 9 of 9', ends: 9, active: 9 });
    assert.deepEqual(await at.sync.sync(ACTOR), { type: 'waiting', reason: 'it would withdraw 9 of 9' });
    assert.equal((await at.sync.accept(ACTOR, 'other', true)).type, 'nothing');
    at.adoptWith({ type: 'adopted' });
    at.answers.push(fresh('b'));
    assert.equal((await at.sync.accept(ACTOR, 'b', true)).type, 'adopted');
    assert.equal(at.orders.at(-1)?.task, 'candidate');
    assert.deepEqual(at.adopted, ['b']);
    assert.equal(at.sync.status()?.waiting, undefined);
  });

  it('waits if it cannot be compared with the copy in use', async () => {
    const at = simulated();
    at.answers.push({ ...fresh('b'), change: undefined } as SourceOutcome);
    assert.equal((await at.sync.sync(ACTOR)).type, 'waiting');
    assert.deepEqual(at.adopted, []);
  });

  it('is a failure if the engine cannot adopt it, and is tried again', async () => {
    const at = simulated();
    at.sync.start();
    at.answers.push(fresh('b'), fresh('b'));
    at.adoptWith({ type: 'failed', text: 'the journal cannot be written' });
    await at.step();
    assert.match(at.sync.status()?.failure?.text ?? '', /not adopted: the journal/);
    at.adoptWith({ type: 'adopted' });
    await at.step();
    assert.deepEqual(at.adopted, ['b']);
  });

  it('is left alone when the daemon stops', async () => {
    const at = simulated();
    at.sync.start();
    at.sync.close();
    assert.equal(at.next(), undefined);
    assert.equal((await at.sync.sync(ACTOR)).type, 'nothing');
    assert.deepEqual(at.orders, []);
  });

  it('never gives the webhook secret to the reading thread', async () => {
    const at = simulated({ settings: { ...SETTINGS, webhookSecret: 'never-shown' } });
    await at.sync.sync(ACTOR);
    assert.ok(!JSON.stringify(at.orders).includes('never-shown'));
    assert.ok(!JSON.stringify(at.sync.status()).includes('never-shown'));
  });
});

describe('the shrink guard', () => {
  const none: ReadonlySet<string> = new Set();
  it('lets a fifth of the prefixes go, and not one more', () => {
    const of = (prefixesLost: number) => whyGuarded({ ...GROWN, prefixesLost }, 0.8, none);
    assert.equal(of(2), undefined);
    assert.match(of(3) ?? '', /3 of 10 prefixes would vanish, more than 20%/);
  });

  it('lets customers go, but none with active mitigations', () => {
    const change = { ...GROWN, customersLost: ['acme', 'globex'] };
    assert.equal(whyGuarded(change, 0.8, none), undefined);
    assert.match(whyGuarded(change, 0.8, new Set(['globex', 'other'])) ?? '', /customer globex with active/);
  });

  it('can be strict or off', () => {
    assert.ok(whyGuarded({ ...GROWN, prefixesLost: 1 }, 1, none) !== undefined);
    assert.equal(whyGuarded({ ...GROWN, prefixesLost: 10 }, 0, none), undefined);
  });
});
