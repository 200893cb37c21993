import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import Fastify from 'fastify';
import { buildApi } from '../../src/http/api.ts';
import type { App } from '../../src/http/request-context.ts';
import { addHooks } from '../../src/http/hooks.ts';
import type { Role } from '../../src/access/role.ts';
import type { Webhook } from '../../src/http/dependencies.ts';
import { neverOverloaded } from '../support/overload.ts';
import { api, bearer, MITIGATION_ID, mitigation, world } from './support.ts';

describe('every answer that is an error', () => {
  it('is a problem, whatever is wrong with the request', async () => {
    const { app } = await api();
    for (const [method, url, status] of [
      ['GET', '/', 200],
      ['GET', '/nowhere', 404],
      ['GET', '/v1', 404],
      ['PUT', '/v1/peers', 405],
      ['DELETE', `/v1/mitigations/${MITIGATION_ID}`, 405],
      ['GET', '/v1/peers/%E0%A4%A', 400],
    ] as const) {
      const response = await app.inject({ method, url, headers: bearer('admin') });
      assert.equal(response.statusCode, status, `${method} ${url}`);
      if (status === 200) continue;
      assert.match(String(response.headers['content-type']), /^application\/problem\+json/);
      const problem = response.json();
      assert.deepEqual([problem.status, problem.error], [status, problem.detail]);
      assert.equal(problem.request_id, response.headers['x-request-id']);
    }
  });

  it('tells which methods a path answers', async () => {
    const { app } = await api();
    const response = await app.inject({ method: 'PATCH', url: '/v1/safelist/10.0.0.0%2F8' });
    assert.equal(response.statusCode, 405);
    assert.equal(response.headers.allow, 'DELETE');
  });

  it('keeps the details of a failure of ours in the log', async () => {
    const { app, log } = await api({
      settings: () => {
        throw new Error('secret path /etc/prefixd/token');
      },
    });
    const response = await app.inject({ url: '/v1/config/settings', headers: bearer('viewer') });
    assert.equal(response.statusCode, 500);
    assert.doesNotMatch(response.body, /secret/);
    const [line] = log.lines.filter(({ level }) => level === 'error');
    assert.match(String(line?.fields.err), /secret path/);
    assert.equal(line?.fields.request_id, response.json().request_id);
  });
});

describe('the log', () => {
  it('cannot be written into by a caller: what comes from outside is a field, never a message', async () => {
    const { app, log } = await api();
    await app.inject({
      url: '/v1/peers?x=%0A{"level":"info","msg":"forged"}',
      headers: { authorization: 'Bearer x', 'x-request-id': 'a\tb' },
    });
    await app.inject({ url: '/v1/mitigations/%0Aforged', headers: bearer('viewer') });
    assert.ok(log.lines.length >= 2);
    for (const { message, fields } of log.lines) {
      assert.match(message, /^[a-z ]+$/);
      assert.doesNotMatch(String(fields.request_id), /[^\w.:-]/);
    }
  });
});

describe('under overload', () => {
  it('refuses reads, and still takes events and commands', async () => {
    const made = await world();
    const { app } = await buildApi(made.deps, undefined, {
      shedsReads: () => true,
      shedsEvents: () => false,
      stop: () => undefined,
    });
    const read = await app.inject({ url: '/v1/mitigations', headers: bearer('viewer') });
    assert.equal(read.statusCode, 503);
    assert.equal(read.headers['retry-after'], '2');
    assert.match(read.json().detail, /so that events are still accepted/);
    const payload = { source: 'fnm', victim_ip: '203.0.113.10', vector: 'udp_flood' };
    const event = await app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: bearer('detector'),
      payload,
    });
    assert.equal(event.statusCode, 202);
    assert.equal((await app.inject({ url: '/v1/health' })).statusCode, 200);
  });

  it('refuses events only when refusing reads was not enough, and commands and health never', async () => {
    const made = await world();
    const shed: string[] = [];
    const deps = { ...made.deps, onShed: (work: string) => shed.push(work) };
    const overload = { shedsReads: () => true, shedsEvents: () => true, stop: () => undefined };
    const { app } = await buildApi(deps, undefined, overload);
    const ask = async (method: 'GET' | 'POST', url: string, role: Role, payload?: object) => {
      const sent = payload === undefined ? {} : { payload };
      return (await app.inject({ method, url, headers: bearer(role), ...sent })).statusCode;
    };
    const event = { source: 'fnm', victim_ip: '203.0.113.10', vector: 'udp_flood' };
    assert.equal(await ask('POST', '/v1/events', 'detector', event), 503);
    assert.equal(await ask('GET', '/v1/events', 'viewer'), 503);
    assert.deepEqual(shed, ['event', 'read']);
    assert.equal(await ask('GET', '/v1/health/detail', 'viewer'), 200);
    const pause = { operator_id: 'jane', reason: 'too much' };
    made.engine.answer = () => ({ type: 'done', affected: [] });
    assert.equal(await ask('POST', '/v1/control/pause', 'operator', pause), 200);
  });
});

describe('GET /v1/openapi.json', () => {
  interface Operation {
    readonly requestBody?: { readonly content: Record<string, { readonly schema: object }> };
    readonly responses: Record<string, { readonly content?: Record<string, { readonly schema?: object }> }>;
  }

  it('describes what each operation takes and answers, problems included', async () => {
    const { app } = await api();
    const response = await app.inject({ url: '/v1/openapi.json', headers: bearer('viewer') });
    assert.equal(response.statusCode, 200);
    const document = response.json();
    assert.equal(document.openapi, '3.1.0');
    const paths: Record<string, Record<string, Operation>> = document.paths;
    for (const [path, operations] of Object.entries(paths)) {
      for (const [method, { responses }] of Object.entries(operations)) {
        const success = Object.keys(responses).find((status) => /^[23]/.test(status));
        assert.ok(success !== undefined, `${method} ${path}`);
        if (path === '/v1/openapi.json') continue;
        assert.ok(responses['4XX']?.content?.['application/problem+json'], `${method} ${path}`);
      }
    }
    const event = paths['/v1/events']?.post?.requestBody?.content['application/json']?.schema;
    assert.ok(event !== undefined && 'required' in event);
    assert.deepEqual(event.required, ['source', 'victim_ip', 'vector']);
  });

  it('has every route that is registered, the files of the dashboard aside', async () => {
    const { app } = await api();
    const document = (await app.inject({ url: '/v1/openapi.json', headers: bearer('viewer') })).json();
    const registered = routesOf(app.printRoutes({ commonPrefix: false }));
    assert.ok(registered.length > 20);
    for (const [url, methods] of registered) {
      if (url === '/' || url.startsWith('/dashboard/')) continue;
      const path = url.replace(/:(\w+)/g, '{$1}');
      for (const method of methods.filter((one) => one !== 'HEAD')) {
        assert.ok(document.paths[path]?.[method.toLowerCase()], `${method} ${path}`);
      }
    }
  });

  it('is right: every path in it is answered by more than 404 and 405', async () => {
    const webhook: Webhook = {
      name: 'edge1',
      auth: { kind: 'bearer', token: undefined },
      mapping: { each: '$', victim_ip: '$.ip' },
    };
    const made = await api({ webhooks: () => new Map([['edge1', webhook]]) });
    made.engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    const document = (await made.app.inject({ url: '/v1/openapi.json', headers: bearer('viewer') })).json();
    const paths: Record<string, Record<string, Operation>> = document.paths;
    for (const [path, operations] of Object.entries(paths)) {
      for (const method of Object.keys(operations)) {
        if (path === '/v1/feed') continue;
        const url = path
          .replace('{id}', MITIGATION_ID)
          .replace('{name}', 'edge1')
          .replace('{prefix}', '192.0.2.0%2F24');
        const verb = method === 'get' ? 'GET' : method === 'post' ? 'POST' : 'DELETE';
        const response = await made.app.inject({ method: verb, url, headers: bearer('admin') });
        assert.ok(![404, 405].includes(response.statusCode), `${method} ${path}: ${response.statusCode}`);
      }
    }
  });
});

describe('a route', () => {
  it('cannot be registered without an access setting', async () => {
    const { deps } = await world();
    const bare: App = Fastify();
    const connections = { letIn: () => undefined, trust: () => undefined };
    addHooks(bare, deps, neverOverloaded(), connections);
    assert.throws(() => bare.get('/open', () => 'hello'), /has no access setting/);
  });
});

/** Reads paths and methods from the tree that Fastify prints, four columns per level. */
function routesOf(tree: string): readonly (readonly [url: string, methods: readonly string[]])[] {
  const parents: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const match = /^([\s│]*)[├└]── (\S*)(?: \(([A-Z, ]+)\))?/.exec(line);
    if (match === null) return [];
    const depth = (match[1] ?? '').length / 4;
    const url = (parents[depth - 1] ?? '') + (match[2] ?? '');
    parents[depth] = url;
    return match[3] === undefined ? [] : [[url, match[3].split(', ')] as const];
  });
}
