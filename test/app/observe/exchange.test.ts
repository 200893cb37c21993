import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exchangeLines } from '../../../src/app/observe/exchange-lines.ts';
import { ExchangeMetrics } from '../../../src/app/observe/exchange-metrics.ts';
import { MetricRegistry } from '../../../src/app/observe/metric-registry.ts';
import type { ExchangeCondition, ExchangeView, KnownPop } from '../../../src/exchange/types.ts';

const NOW = 1_000_000;

function pop(name: string, changes: Partial<KnownPop> = {}): KnownPop {
  return {
    name,
    isSelf: false,
    isAccepted: true,
    lagMs: 500,
    heartbeat: undefined,
    imported: 0,
    unreadable: 0,
    ...changes,
  };
}

function exchange(condition: ExchangeCondition, ...pops: readonly KnownPop[]): ExchangeView {
  return {
    condition,
    importFailure: undefined,
    pops: () => [pop('ber', { isSelf: true }), ...pops],
    elsewhere: () => [],
    openRequests: () => [],
    nextRequest: () => ({ pop: 'ber', epoch: 1, n: 1 }),
    ask: () => Promise.resolve([]),
  };
}

const CONNECTED: ExchangeCondition = { state: 'connected', since: 0, problem: undefined };

const texts = (view: ExchangeView) => exchangeLines(view, NOW).map(({ code, text }) => `${code}: ${text}`);

describe('the health of the exchange', () => {
  it('is fine while every accepted POP is heard of', () => {
    assert.deepEqual(
      texts(exchange(CONNECTED, pop('fra'), pop('par', { isAccepted: false, lagMs: 1e9 }))),
      [],
    );
  });

  it('names a POP that is silent, and since when', () => {
    const [line] = exchangeLines(exchange(CONNECTED, pop('fra', { lagMs: 12_000 })), NOW);
    assert.equal(line?.code, 'exchange_pop');
    assert.match(line?.text ?? '', /POP fra is silent: .* end with their TTL/);
    assert.equal(line?.since, NOW - 12_000);
  });

  it('names a POP that was never heard of, but not in the first moments', () => {
    const unknown = pop('fra', { lagMs: undefined });
    assert.match(
      texts(exchange(CONNECTED, unknown)).join(),
      /exchange_pop: POP fra is in exchange\.accept, and nothing/,
    );
    assert.deepEqual(texts(exchange({ ...CONNECTED, since: NOW - 1_000 }, unknown)), []);
  });

  it('says once that the database cannot be used, and that decisions go on', () => {
    const lost = {
      state: 'connecting',
      since: NOW - 4_000,
      problem: 'PostgreSQL at db:5432 is gone',
    } as const;
    const lines = texts(exchange(lost, pop('fra', { lagMs: 60_000 })));
    assert.equal(lines.length, 1);
    assert.match(
      lines[0] ?? '',
      /exchange: nothing is exchanged with other POPs: PostgreSQL at db:5432 is gone; this POP decides on its own/,
    );
    assert.deepEqual(texts(exchange({ ...lost, since: NOW - 1_000 })), []);
  });

  it('says at once that another daemon has the name', () => {
    const rival = { state: 'rival', since: NOW, problem: 'another daemon is POP ber' } as const;
    assert.deepEqual(texts(exchange(rival)), ['exchange: another daemon is POP ber']);
  });

  it('says that imports cannot be recorded', () => {
    const full = { ...exchange(CONNECTED, pop('fra')), importFailure: new Error('the disk is full') };
    assert.match(texts(full).join(), /cannot be recorded and are tried again: the disk is full/);
  });
});

describe('the metrics of the exchange', () => {
  it('have the lag of each accepted POP', async () => {
    const registry = new MetricRegistry();
    const view = exchange(
      CONNECTED,
      pop('fra', { lagMs: 1_500, imported: 3, unreadable: 1 }),
      pop('par', { lagMs: undefined }),
    );
    const metrics = new ExchangeMetrics(registry, view);
    metrics.onImported(12);
    metrics.onPublished(2);
    metrics.onRefused('quota_imported');
    const text = await registry.registry.metrics();
    for (const line of [
      'prefixd_exchange_up 1',
      'prefixd_exchange_lag_seconds{pop="fra"} 1.5',
      'prefixd_exchange_lag_seconds{pop="par"} +Inf',
      'prefixd_exchange_imported{pop="fra"} 3',
      'prefixd_exchange_unconfirmed_requests 0',
      'prefixd_exchange_unreadable_total{pop="fra"} 1',
      'prefixd_exchange_published_total 2',
      'prefixd_exchange_imports_refused_total{reason="quota_imported"} 1',
      'prefixd_exchange_import_seconds_bucket{le="0.025"} 1',
    ]) {
      assert.ok(text.includes(line), `${line} is not in\n${text}`);
    }
  });
});
