import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_NESTING, parseJsonBody, parseNdjsonBody } from '../../src/http/body.ts';
import { api, bearer } from './support.ts';

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('a JSON body', () => {
  it('may nest so deep and no deeper, wherever the brackets are', () => {
    assert.ok(Array.isArray(parseJsonBody(nested(MAX_NESTING))));
    assert.throws(() => parseJsonBody(nested(MAX_NESTING + 1)), /nested deeper than 32/);
    const sideBySide = `[${Array.from({ length: 100 }, () => '{"a":[]}').join(',')}]`;
    assert.ok(Array.isArray(parseJsonBody(sideBySide)));
  });

  it('is not judged by brackets inside of strings', () => {
    const text = JSON.stringify({ note: `${'['.repeat(100)}\\"${'{'.repeat(100)}` });
    assert.ok(parseJsonBody(text));
  });

  it('may not bring keys that reach a prototype, however they are spelled', () => {
    for (const text of [
      '{"__proto__":{"admin":true}}',
      '{"a":[{"constructor":{"prototype":{}}}]}',
      '{"\\u005f_proto__":1}',
      '{"x":{"proto\\u0074ype":1}}',
    ]) {
      assert.throws(() => parseJsonBody(text), /is not allowed/, text);
    }
    assert.deepEqual(parseJsonBody('{"note":"__proto__ and constructor are words"}'), {
      note: '__proto__ and constructor are words',
    });
  });

  it('is nothing when it is empty, and says where it is wrong when it is', () => {
    assert.equal(parseJsonBody(''), undefined);
    assert.throws(() => parseJsonBody('{"a":}'), /the body is not valid JSON/);
    assert.throws(() => parseJsonBody('{"a":1'), /the body is not valid JSON/);
  });

  it('may begin with a byte order mark', () => {
    assert.deepEqual(parseJsonBody('\ufeff{"a":1}'), { a: 1 });
  });
});

describe('an NDJSON body', () => {
  it('is one value a line, and a line that is broken is one broken value', () => {
    const [first, second, third, ...more] = parseNdjsonBody('{"a":1}\r\n\n  \n[2]\nnope');
    assert.deepEqual([first?.value(), second?.value()], [{ a: 1 }, [2]]);
    assert.throws(() => third?.value(), /line 5 is not valid JSON/);
    assert.equal(more.length, 0);
  });

  it('is taken apart at once, and read line by line when its turn comes', () => {
    const before = performance.now();
    assert.equal(parseNdjsonBody('nope\n'.repeat(100_000)).length, 100_000);
    assert.ok(performance.now() - before < 1_000, 'nobody else is served meanwhile');
  });
});

describe('bodies that are meant to hurt', () => {
  it('answer 400 and leave the daemon well', async () => {
    const { app, engine } = await api();
    for (const payload of [
      nested(200_000),
      '{"a":'.repeat(50_000),
      '{"__proto__":{"role":"admin"}}',
      '"\ud800"',
      '1e999',
      'null',
      '[]',
      '\u0000',
      '{"source":"fnm","victim_ip":"203.0.113.1","vector":"udp_flood","bps":1e400}',
    ]) {
      const response = await app.inject({
        method: 'POST',
        url: '/v1/events',
        headers: { ...bearer('detector'), 'content-type': 'application/json' },
        payload,
      });
      assert.equal(response.statusCode, 400, payload.slice(0, 40));
    }
    assert.equal(engine.commands.length, 0);
  });
});
