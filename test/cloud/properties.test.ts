/**
 * Whatever mitigations do, scrubbers answer and however often the daemon is killed: a scrubber ends up protecting exactly
 * what active mitigations send to it, and no stop is sent while a prefix is needed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { HttpRequest, PostAnswer } from '../../src/alert/post.ts';
import { CloudBench, requestLine } from './support.ts';

type Step =
  | { readonly type: 'begin' | 'end'; readonly prefix: number }
  | { readonly type: 'wait'; readonly seconds: number }
  | { readonly type: 'crash' | 'restart' };

type Fate = 'done' | 'refused' | 'broken' | 'lost-before' | 'lost-after' | 'hangs' | 'slow';

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ type: fc.constant('begin'), prefix: fc.integer({ min: 1, max: 2 }) }),
    },
    { weight: 4, arbitrary: fc.record({ type: fc.constant('end'), prefix: fc.integer({ min: 1, max: 2 }) }) },
    {
      weight: 3,
      arbitrary: fc.record({ type: fc.constant('wait'), seconds: fc.constantFrom(1, 5, 31, 60) }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('crash', 'restart') }) },
  ) as fc.Arbitrary<Step>,
  { maxLength: 40 },
);

const fates: fc.Arbitrary<readonly Fate[]> = fc.array(
  fc.constantFrom<Fate>(
    'done',
    'slow',
    'slow',
    'refused',
    'broken',
    'lost-before',
    'lost-after',
    'lost-after',
    'hangs',
  ),
  { maxLength: 40 },
);

/** Active mitigations by prefix. */
class Attacks {
  readonly #active = new Map<string, number[]>();
  #next = 1;

  prefixes(): readonly string[] {
    return [...this.#active].filter(([, list]) => list.length > 0).map(([prefix]) => prefix);
  }

  begin(prefix: string): number {
    this.#active.set(prefix, [...(this.#active.get(prefix) ?? []), this.#next]);
    return this.#next++;
  }

  end(prefix: string): number | undefined {
    const [first, ...others] = this.#active.get(prefix) ?? [];
    this.#active.set(prefix, others);
    return first;
  }
}

test('a scrubber ends up protecting what is needed, and is never told to stop what is', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fates, async (all, answers) => {
      const attacks = new Attacks();
      const protectedNow = new Set<string>();
      const breaches: string[] = [];
      let run = 0;
      const under = new Map<string, number>();
      const bench = new CloudBench();
      const apply = (request: HttpRequest, prefix: string): void => {
        if (request.method === 'POST') protectedNow.add(prefix);
        else protectedNow.delete(prefix);
      };
      bench.answer = async (request, count, signal): Promise<Partial<PostAnswer>> => {
        const prefix = requestLine(request).split(' ')[1] ?? '';
        if (request.method === 'DELETE') {
          if (attacks.prefixes().includes(prefix)) breaches.push(`${prefix} is stopped while it is needed`);
        }
        if (under.get(prefix) === run) breaches.push(`two requests for ${prefix} at one time`);
        under.set(prefix, run);
        const fate = answers[count - 1] ?? 'done';
        if (fate === 'slow') {
          await new Promise<void>((resolve) => {
            bench.time.after(8_000, resolve);
            signal.addEventListener('abort', () => resolve());
          });
          if (signal.aborted) throw new Error('aborted');
        }
        if (fate === 'done' || fate === 'slow' || fate === 'lost-after') apply(request, prefix);
        if (fate === 'hangs') {
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        }
        under.delete(prefix);
        if (fate === 'refused') return { status: 400 };
        if (fate === 'broken') return { status: 503 };
        if (fate !== 'done' && fate !== 'slow') throw new Error('socket hang up');
        return { status: 200 };
      };
      await bench.start();
      for (const step of all) {
        switch (step.type) {
          case 'begin': {
            const prefix = `203.0.113.${step.prefix}/32`;
            const match = { dstPrefix: prefix, protocol: null, dstPorts: [], srcPorts: [] };
            await bench.begin(attacks.begin(prefix), { match });
            break;
          }
          case 'end': {
            const ended = attacks.end(`203.0.113.${step.prefix}/32`);
            if (ended !== undefined) await bench.end(ended);
            break;
          }
          case 'wait':
            await bench.time.advance(step.seconds * 1000);
            break;
          default:
            if (step.type === 'restart') {
              const closed = bench.requests.close(0);
              await bench.time.advance(0);
              await closed;
            }
            run++;
            bench.crash();
            await bench.start();
        }
      }
      await bench.time.advance(3_600_000);
      assert.deepEqual(breaches, []);
      assert.deepEqual([...protectedNow].sort(), [...attacks.prefixes()].sort());
      const shown = bench.requests.statuses().map(({ prefix, state }) => `${prefix} ${state}`);
      assert.deepEqual(shown.sort(), [...attacks.prefixes()].map((prefix) => `${prefix} confirmed`).sort());
    }),
    { numRuns: 500 },
  );
});
