import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Guesses, MAX_DELAY_MS } from '../../src/http/auth.ts';
import { api, bearer } from './support.ts';

function guesses() {
  const time = { now: 0 };
  return { time, made: new Guesses(() => time.now) };
}

describe('wrong tokens from one network', () => {
  it('cost nothing at first, and then ever more up to a limit', () => {
    const { made } = guesses();
    for (let i = 0; i < 10; i++) {
      assert.equal(made.delayOf('198.51.100.1', undefined), 0);
      made.wrong('198.51.100.1');
    }
    const delays = Array.from({ length: 8 }, () => {
      const delay = made.delayOf('198.51.100.1', undefined);
      made.wrong('198.51.100.1');
      return delay;
    });
    assert.deepEqual(delays, [250, 500, 1000, 2000, 4000, MAX_DELAY_MS, MAX_DELAY_MS, MAX_DELAY_MS]);
    assert.equal(made.delayOf('198.51.100.2', undefined), 0, 'no other network pays for it');
  });

  it('delay a right token as long as a wrong one, unless it was used from there before', () => {
    const { made } = guesses();
    made.right('198.51.100.1', 'fnm');
    for (let i = 0; i < 30; i++) made.wrong('198.51.100.1');
    assert.equal(made.delayOf('198.51.100.1', 'fnm'), 0);
    assert.equal(made.delayOf('198.51.100.1', 'noc'), MAX_DELAY_MS);
    assert.equal(made.delayOf('198.51.100.1', undefined), MAX_DELAY_MS);
  });

  it('are forgiven one by one', () => {
    const { made, time } = guesses();
    for (let i = 0; i < 1000; i++) made.wrong('198.51.100.1');
    time.now = 91 * 30_000;
    assert.equal(made.delayOf('198.51.100.1', undefined), 0);
  });

  it('are told once, however many follow', () => {
    const { made } = guesses();
    const told = Array.from({ length: 5000 }, () => made.wrong('198.51.100.1')).filter(Boolean);
    assert.equal(told.length, 1);
  });

  it('are counted for a bounded number of networks, of which the quietest is forgotten', () => {
    const { made } = guesses();
    for (let i = 0; i < 20; i++) made.wrong('first');
    for (let i = 0; i < 5000; i++) made.wrong(`network-${i}`);
    assert.equal(made.delayOf('first', undefined), 0);
  });
});

describe('the API, from whose caller tokens are guessed', () => {
  it('answers late, lets the token in that it knows from there at once, and writes one line', async () => {
    const waits: number[] = [];
    const pause = async (milliseconds: number): Promise<void> => {
      waits.push(milliseconds);
    };
    const { app, log } = await api({ pause });
    const ask = async (authorization: string): Promise<number> => {
      const response = await app.inject({ url: '/v1/peers', headers: { authorization } });
      return response.statusCode;
    };
    assert.equal(await ask(bearer('viewer').authorization), 200);
    for (let i = 0; i < 50; i++) assert.equal(await ask(`Bearer guess-${i}`), 401);
    assert.equal(waits.length, 40);
    assert.equal(await ask(bearer('viewer').authorization), 200);
    assert.equal(waits.length, 40, 'the viewer waited for nothing');
    assert.equal(await ask(bearer('operator').authorization), 200);
    assert.equal(waits.length, 41, 'a token that is new there waits, and is let in');
    const warned = log.lines.filter(({ level }) => level === 'warn');
    assert.deepEqual(
      warned.map(({ message }) => message.split(';')[0]),
      ['request refused', 'this network sends many invalid bearer tokens'],
    );
    assert.doesNotMatch(JSON.stringify(log.lines), /guess-\d/);
  });
});
