import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { announcedBytes, BodyRoom, readingCost } from '../../src/http/body-room.ts';
import { HttpProblem } from '../../src/http/http-problem.ts';

const status = (code: number) => (error: unknown) => error instanceof HttpProblem && error.status === code;

describe('the room for bodies', () => {
  it('is shared by all, of which no client has more than its part', () => {
    const room = new BodyRoom({ all: 100, ofClient: 60 });
    const first = room.open('name fnm');
    first.grow(50);
    const second = room.open('name fnm');
    assert.throws(() => second.grow(20), status(503));
    room.open('name other').grow(50);
    assert.throws(() => room.open('name third').grow(1), status(503));
    first.release();
    second.grow(50);
    assert.equal(room.taken, 100);
  });

  it('is given back once, however often a request ends', () => {
    const room = new BodyRoom({ all: 100, ofClient: 60 });
    const one = room.open('a');
    one.grow(10);
    room.open('a').grow(20);
    one.release();
    one.release();
    assert.equal(room.taken, 20);
  });

  it('has none for what is more than one client may ever have', () => {
    const room = new BodyRoom({ all: 100, ofClient: 60 });
    const one = room.open('a');
    one.grow(40);
    assert.throws(() => one.grow(30), status(413));
  });
});

describe('what a request announces', () => {
  it('is its length, at most the limit', () => {
    assert.equal(announcedBytes({ 'content-length': '100' }, 1000), 100);
    assert.equal(announcedBytes({ 'content-length': '99999' }, 1000), 1000);
  });

  it('is the limit when it is compressed, or does not say, and nothing when there is no body', () => {
    assert.equal(announcedBytes({ 'content-length': '100', 'content-encoding': 'gzip' }, 1000), 1000);
    assert.equal(announcedBytes({ 'transfer-encoding': 'chunked' }, 1000), 1000);
    assert.equal(announcedBytes({}, 1000), 0);
  });
});

describe('what comes of a text', () => {
  it('is many times its length when it is full of small values', () => {
    assert.equal(readingCost('{"a":1}'), 7 + 64);
    const objects = `[${Array(300_000).fill('{}').join(',')}]`;
    assert.ok(readingCost(objects) > 30 * 1024 * 1024);
  });

  it('is about its length when it is one long text, whatever that contains', () => {
    const text = JSON.stringify({ dump: '{[,"\\\n'.repeat(100_000) });
    assert.ok(readingCost(text) < text.length + 1000);
  });
});
