/** Tests the contract of `Store`; every implementation runs them. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { type Store, StoreError } from '../../src/store/store.ts';
import { allFacts, fact, facts, openAndRead } from './support.ts';

/** `make` returns a function that opens the same storage each time, as after a restart. */
export function storeContract(name: string, make: (t: TestContext) => Promise<() => Store>): void {
  describe(`${name} keeps the promises of a store`, () => {
    test('a new one holds nothing', async (t) => {
      const store = (await make(t))();
      const recovery = await store.open();
      assert.equal(recovery.snapshot, undefined);
      assert.deepEqual(recovery.warnings, []);
      assert.deepEqual(await allFacts(recovery), []);
      await store.close();
    });

    test('what was appended is there after a restart, in order', async (t) => {
      const next = await make(t);
      const store = next();
      await openAndRead(store);
      await store.append(facts(1, 3));
      await store.append([fact(4)]);
      await store.close();
      const again = next();
      assert.deepEqual((await openAndRead(again)).facts, facts(1, 4));
      await again.append([fact(5)]);
      await again.close();
      const third = next();
      assert.deepEqual((await openAndRead(third)).facts, facts(1, 5));
      await third.close();
    });

    test('appends may overlap and stay in order', async (t) => {
      const next = await make(t);
      const store = next();
      await openAndRead(store);
      await Promise.all(Array.from({ length: 100 }, (_, i) => store.append(facts(2 * i + 1, 2 * i + 2))));
      await store.close();
      const again = next();
      assert.deepEqual((await openAndRead(again)).facts, facts(1, 200));
      await again.close();
    });

    test('an append that is under way when the store closes is kept', async (t) => {
      const next = await make(t);
      const store = next();
      await openAndRead(store);
      const append = store.append([fact(1)]);
      await store.close();
      await append;
      const again = next();
      assert.deepEqual((await openAndRead(again)).facts, [fact(1)]);
      await again.close();
    });

    test('facts come back as they were, whatever their text', async (t) => {
      const next = await make(t);
      const store = next();
      await openAndRead(store);
      const odd = [
        fact(1, '\n"}\u2028\ud83d\ude80\0,"crc":"00000000"}\n'),
        fact(2, 'x'.repeat(1_500_000)),
        fact(3, 'é'),
      ];
      await store.append(odd);
      await store.close();
      const again = next();
      assert.deepEqual((await openAndRead(again)).facts, odd);
      await again.close();
    });

    test('a fact out of its turn is refused with its whole append', async (t) => {
      const next = await make(t);
      const store = next();
      await openAndRead(store);
      await store.append([fact(1)]);
      await assert.rejects(store.append([fact(3)]), StoreError);
      await assert.rejects(store.append([fact(2), fact(2)]), /got fact 2, but expected fact 3/);
      await store.append([fact(2)]);
      await store.close();
      const again = next();
      assert.deepEqual((await openAndRead(again)).facts, facts(1, 2));
      await again.close();
    });

    test('an append of nothing is durable at once', async (t) => {
      const store = (await make(t))();
      await openAndRead(store);
      await store.append([]);
      await store.close();
    });

    test('nothing is written before what is there was read to its end, nor after closing', async (t) => {
      const next = await make(t);
      const store = next();
      await assert.rejects(store.append([fact(1)]), StoreError);
      const recovery = await store.open();
      await assert.rejects(store.append([fact(1)]), /cannot be written until all its facts have been read/);
      await assert.rejects(
        store.snapshot({ schema: 1, seq: 1, data: {} }),
        /cannot be written until all its facts have been read/,
      );
      await allFacts(recovery);
      await store.append([fact(1)]);
      await store.close();
      await assert.rejects(store.append([fact(2)]), /not open/);
      await assert.rejects(store.snapshot({ schema: 1, seq: 1, data: {} }), /not open/);
      await store.close();
    });

    test('it has one owner', async (t) => {
      const store = (await make(t))();
      await store.open();
      await assert.rejects(store.open(), StoreError);
      await store.close();
      await store.open();
      await store.close();
    });

    test('a snapshot comes back with the facts that follow it, and only those', async (t) => {
      const next = await make(t);
      const store = next();
      await openAndRead(store);
      await store.append(facts(1, 5));
      const data = {
        lastAt: 7,
        paused: null,
        mitigations: [{ id: 'a', why: ['é', null] }, { id: 'b' }],
        events: [],
        n: [1, 'x', null],
      };
      await store.append([fact(6)]);
      await store.snapshot({ schema: 1, seq: 5, data });
      await store.append([fact(7)]);
      await store.close();
      const again = next();
      const { facts: found, recovery } = await openAndRead(again);
      assert.deepEqual(recovery.snapshot, { schema: 1, seq: 5, data });
      assert.deepEqual(found, facts(6, 7));
      await again.append([fact(8)]);
      await again.snapshot({ schema: 1, seq: 8, data: { events: [] } });
      await again.close();
      const third = next();
      const end = await openAndRead(third);
      assert.deepEqual(end.recovery.snapshot, { schema: 1, seq: 8, data: { events: [] } });
      assert.deepEqual(end.facts, []);
      await third.append([fact(9)]);
      await third.close();
    });

    test('data of a snapshot may be any JSON', async (t) => {
      const next = await make(t);
      const store = next();
      await openAndRead(store);
      await store.append(facts(1, 1));
      for (const data of [[1, 2], 'text', null, 7, {}, { key: { item: [1] }, item: ['x'] }]) {
        await store.snapshot({ schema: 1, seq: 1, data });
        await store.close();
        const { recovery } = await openAndRead(store);
        assert.deepEqual(recovery.snapshot?.data, data);
      }
      await store.close();
    });

    test('a snapshot is what it was when it was taken', async (t) => {
      const next = await make(t);
      const store = next();
      await openAndRead(store);
      await store.append(facts(1, 1));
      const list = ['a', 'b'];
      await store.snapshot({ schema: 1, seq: 1, data: { list: [...list] } });
      list.push('c');
      await store.close();
      const again = next();
      const { recovery } = await openAndRead(again);
      assert.deepEqual(recovery.snapshot?.data, { list: ['a', 'b'] });
      await again.close();
    });

    test('a snapshot of facts that are not durable is refused', async (t) => {
      const store = (await make(t))();
      await openAndRead(store);
      await store.append(facts(1, 2));
      await assert.rejects(store.snapshot({ schema: 1, seq: 3, data: {} }), StoreError);
      await store.close();
    });
  });
}
