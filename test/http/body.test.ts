import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brotliCompressSync, gzipSync } from 'node:zlib';
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

  it('is taken apart without reading its lines, and refused with more of them than a batch may have', () => {
    assert.equal(parseNdjsonBody('nope\n'.repeat(10_000)).length, 10_000);
    const tooLong = { name: 'HttpProblem', status: 413 };
    assert.throws(() => parseNdjsonBody('nope\n'.repeat(10_001)), tooLong);
    assert.throws(() => parseNdjsonBody('\n'.repeat(1_000_000)), tooLong);
  });

  it('may have an empty line after each', () => {
    assert.equal(parseNdjsonBody('{}\r\n\r\n'.repeat(10_000)).length, 10_000);
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

describe('a body that is compressed', () => {
  const event = JSON.stringify({ source: 'fnm', victim_ip: '203.0.113.10', vector: 'udp_flood' });
  const post = async (headers: object, payload: Buffer | string, url = '/v1/events') => {
    const { app, engine } = await api();
    const response = await app.inject({
      method: 'POST',
      url,
      headers: { ...bearer('detector'), 'content-type': 'application/json', ...headers },
      payload,
    });
    return { response, engine };
  };

  it('with gzip is read, one event or a line each', async () => {
    for (const encoding of ['gzip', 'x-gzip', 'GZIP']) {
      const { response, engine } = await post({ 'content-encoding': encoding }, gzipSync(event));
      assert.equal(response.statusCode, 202, response.body);
      assert.equal(engine.commands.length, 1);
    }
    const lines = gzipSync(`${event}\n${event}\n`);
    const headers = { 'content-encoding': 'gzip', 'content-type': 'application/x-ndjson' };
    const { response, engine } = await post(headers, lines, '/v1/events/batch');
    assert.equal(response.statusCode, 207);
    assert.equal(engine.commands.length, 2);
    assert.equal((await post({ 'content-encoding': 'identity' }, event)).response.statusCode, 202);
  });

  it('otherwise is answered 415, in words', async () => {
    for (const encoding of ['br', 'deflate', 'zstd', 'gzip, gzip']) {
      const { response } = await post({ 'content-encoding': encoding }, brotliCompressSync(event));
      assert.equal(response.statusCode, 415, encoding);
      assert.match(response.json().detail, /Content-Encoding: gzip/);
      assert.equal(response.headers['accept-encoding'], 'gzip');
    }
  });

  it('is bounded by what it inflates to, and 400 when it is not what it says', async () => {
    const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024, ' '));
    const { response } = await post({ 'content-encoding': 'gzip' }, bomb);
    assert.equal(response.statusCode, 413);
    assert.match(response.json().detail, /inflates to more than 1 MiB/);
    for (const broken of [Buffer.from(event), gzipSync(event).subarray(0, 20)]) {
      assert.equal((await post({ 'content-encoding': 'gzip' }, broken)).response.statusCode, 400);
    }
  });

  it('may be any kind of JSON, with any parameters', async () => {
    for (const type of [
      'application/json; charset=utf-8',
      'application/json;charset="UTF-8"',
      'Application/JSON',
      'application/cloudevents+json',
      'application/vnd.example.v1+json; charset=utf-8',
    ]) {
      assert.equal((await post({ 'content-type': type }, event)).response.statusCode, 202, type);
    }
    for (const type of ['text/plain', 'application/jsonp', 'application/xml+jsonx', 'application/+json']) {
      assert.equal((await post({ 'content-type': type }, event)).response.statusCode, 415, type);
    }
  });
});
