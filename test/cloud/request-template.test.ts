import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  fillTemplate,
  originPart,
  placeholdersIn,
  type PlaceholderValues,
  type RequestTemplate,
} from '../../src/cloud/request-template.ts';

const VALUES: PlaceholderValues = {
  victim_ip: '203.0.113.10',
  prefix: '203.0.113.10/32',
  customer_id: 'acme & "sons"/é',
  mitigation_id: '7b0f4f3e-0000-4000-8000-000000000001',
  scrubber: 'cloud',
  pop: 'iad1',
  vector: 'udp_flood',
};

function fill(template: Partial<RequestTemplate>, values: Partial<PlaceholderValues> = {}) {
  const whole = {
    method: 'POST',
    url: 'https://api.example/',
    headers: {},
    accepted: [],
    ...template,
  } as const;
  return fillTemplate(whole, { ...VALUES, ...values });
}

function urlOf(url: string, values: Partial<PlaceholderValues> = {}): string {
  const filled = fill({ url }, values);
  return filled.ok ? filled.value.url : filled.error;
}

describe('a URL', () => {
  it('has its values percent-encoded, in the path and in the query', () => {
    assert.equal(
      urlOf('https://api.example/v1/{customer_id}/{prefix}?victim={victim_ip}&v={vector}#{pop}'),
      'https://api.example/v1/acme%20%26%20%22sons%22%2F%C3%A9/203.0.113.10%2F32?victim=203.0.113.10&v=udp_flood#iad1',
    );
  });

  it('is not sent without a value that it needs: the request could be about everything', () => {
    assert.match(urlOf('https://api.example/v1/{customer_id}', { customer_id: '' }), /has no customer_id/);
  });

  it('keeps its path whatever the values are', () => {
    for (const value of ['.', '..']) {
      assert.match(
        urlOf('https://api.example/v1/{customer_id}/all', { customer_id: value }),
        /change the path/,
      );
    }
    assert.match(urlOf('https://api.example/v1/.{customer_id}', { customer_id: '.' }), /change the path/);
    for (const value of ['...', '%2e%2e', '../..', '\\..\\', '?x#y', '\t..\n', '\ud800']) {
      const url = urlOf('https://api.example/v1/{customer_id}/all', { customer_id: value });
      assert.match(new URL(url).pathname, /^\/v1\/[^/]+\/all$/, value);
      assert.equal(new URL(url).search, '', value);
    }
  });

  it('may have no path', () => {
    assert.equal(urlOf('https://api.example'), 'https://api.example');
    assert.equal(urlOf('https://api.example?p={prefix}'), 'https://api.example?p=203.0.113.10%2F32');
  });
});

describe('a body', () => {
  it('has its texts filled, and nothing else', () => {
    const body = {
      '{prefix}': 'a key',
      text: 'protect {prefix} of {customer_id}',
      list: ['{victim_ip}', 7, true, null, { inner: '{scrubber} {pop} {vector} {mitigation_id}' }],
      braces: 'query { protect(x: {}) } {{victim_ip}}',
    };
    const filled = fill({ body });
    assert.ok(filled.ok);
    assert.deepEqual(JSON.parse(filled.value.body ?? ''), {
      '{prefix}': 'a key',
      text: 'protect 203.0.113.10/32 of acme & "sons"/é',
      list: [
        '203.0.113.10',
        7,
        true,
        null,
        { inner: 'cloud iad1 udp_flood 7b0f4f3e-0000-4000-8000-000000000001' },
      ],
      braces: 'query { protect(x: {}) } {203.0.113.10}',
    });
  });

  it('cannot be broken out of, and values are not filled again', () => {
    const filled = fill({ body: { id: '{customer_id}' } }, { customer_id: '", "prefix": "{prefix}' });
    assert.ok(filled.ok);
    assert.deepEqual(JSON.parse(filled.value.body ?? ''), { id: '", "prefix": "{prefix}' });
  });

  it('is empty where the mitigation has no value, and absent where the template has none', () => {
    const filled = fill({ body: ['{customer_id}'] }, { customer_id: '' });
    assert.equal(filled.ok && filled.value.body, '[""]');
    const none = fill({});
    assert.ok(none.ok && !('body' in none.value));
  });
});

describe('a text', () => {
  it('has the placeholders that look like one, known or not', () => {
    assert.deepEqual(placeholdersIn('{prefix} {nope} { x } {} {{pop}} {1}'), ['prefix', 'nope', 'pop']);
  });

  it('names its server before the first slash, question mark or number sign', () => {
    for (const rest of ['', '/a/b', '?a=//b', '#/c']) {
      assert.equal(originPart(`https://u@api.example:8443${rest}`), 'https://u@api.example:8443');
    }
  });
});
