/** POPs agree without a leader: what they know of one another is joined, and the order of arrival makes no difference. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Command } from '../../src/core/commands.ts';
import { endedIntent, standingIntent } from '../../src/core/own-intents.ts';
import { joinedImport, type RememberedImport } from '../../src/core/state/imports.ts';
import { isActive } from '../../src/core/state/indices.ts';
import { entryWithout, joinedEntry } from '../../src/core/state/safelist-entries.ts';
import type { IntentVersion, Mitigation, RefusalReason, SafelistEntry } from '../../src/core/types.ts';
import { ended, importedId, version } from './intents.ts';
import { ALICE, NOON, World } from './scenario.ts';

const small = fc.integer({ min: 1, max: 4 });
const tag: fc.Arbitrary<IntentVersion> = fc
  .tuple(fc.constantFrom('ams1', 'fra1', 'iad1'), fc.integer({ min: 1, max: 2 }), small)
  .map(([pop, epoch, n]) => ({ pop, epoch, n }));

const known: fc.Arbitrary<RememberedImport> = fc
  .record({
    at: small,
    version: fc.option(
      tag.map((one) => ({ ...one, pop: 'ams1' })),
      { nil: undefined },
    ),
    isFinal: fc.boolean(),
    refused: fc.subarray<RefusalReason>(['paused', 'protected', 'safelisted']),
  })
  .map(({ at, version: newest, isFinal, refused }) => ({
    id: importedId(1),
    at,
    ...(newest === undefined ? {} : { version: newest }),
    ...(isFinal ? { isFinal: true as const } : {}),
    ...(refused.length === 0 ? {} : { refused: [...refused].sort() }),
  }));

const entry: fc.Arbitrary<SafelistEntry> = fc
  .record({ tags: fc.array(tag, { maxLength: 3 }), own: fc.boolean() })
  .map(({ tags, own }) => {
    const plain = { prefix: '203.0.113.0/24', reason: '', addedAt: 0, addedBy: ALICE, configured: false };
    if (tags.length === 0) return plain;
    const joined = tags.reduce<SafelistEntry | undefined>(
      (sum, one) => joinedEntry(sum, { ...plain, tags: [one] }),
      undefined,
    );
    assert.ok(joined !== undefined);
    return own ? joinedEntry(plain, joined) : joined;
  });

/** Asserts that a join is commutative, associative and idempotent. */
function assertJoin<T>(values: fc.Arbitrary<T>, join: (a: T, b: T) => T): void {
  fc.assert(
    fc.property(values, values, values, (a, b, c) => {
      assert.deepEqual(join(a, b), join(b, a), 'it commutes');
      assert.deepEqual(join(join(a, b), c), join(a, join(b, c)), 'it associates');
      assert.deepEqual(join(a, a), a, 'it is idempotent');
    }),
  );
}

describe('a join', () => {
  test('of what is known of a mitigation commutes, associates and is idempotent', () => {
    assertJoin(known, joinedImport);
  });

  test('of safelist entries commutes, associates and is idempotent', () => {
    assertJoin(entry, joinedEntry);
  });

  test('of safelist entries with an addition keeps it, whatever was removed that its sender did not know', () => {
    fc.assert(
      fc.property(entry, fc.array(tag, { maxLength: 4 }), tag, (before, gone, fresh) => {
        const isKnown = gone.some((one) => JSON.stringify(one) === JSON.stringify(fresh));
        const left = entryWithout(joinedEntry(before, { ...before, tags: [fresh] }), gone);
        assert.ok(isKnown || left?.tags?.some((one) => JSON.stringify(one) === JSON.stringify(fresh)));
      }),
    );
  });
});

// Requests about the safelist.

const request: fc.Arbitrary<Command> = fc
  .record({
    tag,
    prefix: fc.constantFrom('203.0.113.0/24', '198.51.100.0/25'),
    removes: fc.boolean(),
    more: fc.array(tag, { maxLength: 2 }),
  })
  .map(({ tag: one, prefix, removes, more }) =>
    removes
      ? { type: 'safelist-remove', prefix, actor: ALICE, tags: [one, ...more] }
      : { type: 'safelist-add', prefix, actor: ALICE, reason: 'ours', tag: one },
  );

function safelistAfter(commands: readonly Command[]): unknown {
  const world = new World();
  for (const command of commands) world.do(command);
  return [...world.state.safelist.values()].map(({ prefix, tags }) => ({ prefix, tags })).sort(byPrefix);
}

function byPrefix(a: { readonly prefix: string }, b: { readonly prefix: string }): number {
  return a.prefix < b.prefix ? -1 : 1;
}

/** A list, and another one with the same items in another order, some of them repeated. */
function shuffled<T>(items: fc.Arbitrary<T>): fc.Arbitrary<readonly [readonly T[], readonly T[]]> {
  return fc
    .array(items, { maxLength: 10 })
    .chain((list) =>
      fc
        .tuple(
          fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length }),
          fc.subarray([...list]),
        )
        .map(([order, again]) => [list, [...order, ...again]] as const),
    );
}

describe('safelist requests', () => {
  test('lead to one safelist, in whatever order and however often they arrive', () => {
    fc.assert(
      fc.property(shuffled(request), ([list, order]) => {
        assert.deepEqual(safelistAfter(order), safelistAfter(list));
      }),
    );
  });
});

// Statements about mitigations: each POP's arrive in order, and some of them again later.

type Statement = Extract<Command, { type: 'import' }>;
type StatementKind = 'standing' | 'narrow' | 'withdrawn' | 'expired';

/** The statements of one POP: its ids are its own, and after an end it says no more. */
function statementsOf(pop: 'ams1' | 'fra1'): fc.Arbitrary<readonly Statement[]> {
  const one = fc.record({
    which: fc.integer({ min: 1, max: 3 }),
    kind: fc.constantFrom<StatementKind>('standing', 'standing', 'narrow', 'withdrawn', 'expired'),
    step: fc.integer({ min: 0, max: 1 }),
    seconds: fc.integer({ min: 30, max: 300 }),
    rate: fc.constantFrom(1e6, 2e6),
  });
  return fc.array(one, { maxLength: 8 }).map((list) => {
    const over = new Set<string>();
    return list.flatMap(({ which, kind, step, seconds, rate }, i) => {
      const id = importedId(pop === 'ams1' ? which : 100 + which);
      if (over.has(id)) return [];
      const origin = { pop, epoch: i < 4 ? 1 : 2, n: i + 1 };
      if (kind === 'withdrawn' || kind === 'expired') {
        over.add(id);
        return [{ ...ended(0, id, kind), origin }];
      }
      const action = { type: 'police', rateBps: rate } as const;
      const victim = `203.0.113.${pop === 'ams1' ? 60 + which : 70 + which}`;
      const pops = kind === 'narrow' ? [pop] : ['*'];
      return [{ ...version(0, { id, victim, step, action, pops }, { seconds }), origin }];
    });
  });
}

/** Merges two lists as `turns` says, each in its order; now and then one that was sent before is sent again. */
function interleaved(
  one: readonly Statement[],
  other: readonly Statement[],
  turns: readonly number[],
): readonly Statement[] {
  const rest = [[...one], [...other]];
  const sent: Statement[] = [];
  for (const turn of [...turns, ...Array<number>(20).fill(0), ...Array<number>(20).fill(1)]) {
    const again = turn > 1 ? sent[turn % Math.max(1, sent.length)] : undefined;
    const next = again ?? rest[turn % 2]?.shift();
    if (next !== undefined) sent.push(next);
  }
  return sent;
}

const EVERYTHING = { maxActivePerCustomer: 100, maxActivePerPop: 100, maxActiveGlobal: 100 };

/** What stands here after these statements, said without their order. */
function standingAfter(statements: readonly Statement[]): readonly unknown[] {
  const world = new World({
    exchange: { accept: ['ams1', 'fra1'], maxImportedPerPop: 100 },
    quotas: EVERYTHING,
  });
  for (const statement of statements) world.do(statement);
  return [...world.state.mitigations.values()]
    .filter(isActive)
    .map(({ id, origin, action, step, pops, expiresAt }) => ({ id, origin, action, step, pops, expiresAt }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

describe('statements of several POPs', () => {
  test('lead to the same mitigations, however they arrive between one another and again', () => {
    fc.assert(
      fc.property(
        statementsOf('ams1'),
        statementsOf('fra1'),
        fc.array(fc.nat(12), { maxLength: 30 }),
        (one, other, turns) => {
          const inOrder = standingAfter([...one, ...other]);
          assert.deepEqual(standingAfter(interleaved(one, other, turns)), inOrder);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('lead to what their owners have, and to nothing that one of them ended', () => {
    fc.assert(
      fc.property(statementsOf('ams1'), (statements) => {
        const last = new Map<string, Statement>();
        const began = new Set<string>();
        for (const statement of statements) {
          const { intent } = statement;
          last.set(intent.id, statement);
          if (intent.kind === 'standing' && intent.pops.includes('*')) began.add(intent.id);
        }
        const wanted = [...last.values()].flatMap(({ intent, origin }) =>
          intent.kind === 'standing' && began.has(intent.id) ? [{ id: intent.id, n: origin.n }] : [],
        );
        const actual = standingAfter(statements) as readonly Mitigation[];
        assert.deepEqual(
          actual.map(({ id, origin }) => ({ id, n: origin?.n })),
          wanted.sort((a, b) => (a.id < b.id ? -1 : 1)),
        );
      }),
    );
  });

  test('carry a mitigation from POP to POP as its owner has it, with the same time left', () => {
    const owner = new World({ pop: 'ams1' });
    owner.do({
      type: 'mitigate',
      actor: ALICE,
      victim: '203.0.113.50',
      protocol: 17,
      ports: [53],
      action: { type: 'discard', rateBps: null },
      ttlSeconds: 600,
      reason: 'ticket 4711',
      pops: ['fra1', 'iad1'],
    });
    const [own] = owner.state.mitigations.values();
    assert.ok(own !== undefined);
    const importer = new World({ exchange: { accept: ['ams1'], maxImportedPerPop: 1 } });
    importer.now = NOON - 600_000;
    const origin = { pop: 'ams1', epoch: 1, n: 1 };
    importer.do({ type: 'import', origin, ...standingIntent(own, owner.now + 60_000) });
    const there = importer.get(own.id);
    assert.equal(there.expiresAt - importer.now, 540_000);
    assert.deepEqual([there.match, there.action, there.pops], [own.match, own.action, own.pops]);
    owner.withdraw(own.id);
    const intent = endedIntent(owner.get(own.id));
    assert.ok(intent !== undefined);
    importer.do({ type: 'import', origin: { ...origin, n: 2 }, intent, remainingMs: 0 });
    assert.equal(importer.get(own.id).ending?.reason, 'false alarm (alice at ams1)');
  });
});
