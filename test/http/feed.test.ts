import assert from 'node:assert/strict';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import type { Fact } from '../../src/core/facts.ts';
import { Feed, MAX_FEED_READERS, MAX_READERS_OF_CLIENT } from '../../src/http/routes/feed.ts';
import { createServer } from '../../src/http/server.ts';
import { PATIENCE_MS } from '../support/children.ts';
import { plainRequest, within } from './sockets.ts';
import { bearer, eventRecord, FakeEngine, MITIGATION_ID, mitigation, world } from './support.ts';

interface Message {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
}

/** A reader that follows the standard (WHATWG HTML §9.2.6) as far as this feed needs it. */
class Reader {
  readonly response: IncomingMessage;
  #text = '';
  readonly #messages: Message[] = [];
  #notify: () => void = () => undefined;

  constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding('utf8');
    response.on('error', () => this.#notify());
    response.on('close', () => this.#notify());
    response.on('data', (text: string) => {
      this.#text += text;
      const blocks = this.#text.split('\n\n');
      this.#text = blocks.pop() ?? '';
      for (const block of blocks) {
        const fields = block
          .split('\n')
          .filter((line) => !line.startsWith(':') && !line.startsWith('retry:') && line !== '')
          .map((line) => /^(\w+): ?(.*)$/.exec(line)?.slice(1) ?? []);
        if (fields.length > 0) this.#messages.push(Object.fromEntries(fields));
      }
      this.#notify();
    });
  }

  async next(): Promise<Message> {
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) return message;
      assert.ok(!this.response.destroyed, 'the feed ended');
      assert.ok(Date.now() < until, 'waited too long for a message');
      const more = new Promise<void>((resolve) => {
        this.#notify = resolve;
      });
      await within(more, 'a message');
    }
  }

  ended(): Promise<void> {
    return within(
      new Promise((resolve) => {
        if (this.response.destroyed || this.response.complete) resolve();
        this.response.once('close', () => resolve());
        this.response.resume();
      }),
      'the end of the feed',
    );
  }
}

async function serve(t: TestContext) {
  const made = await world();
  const server = await createServer(made.deps);
  t.after(() => server.close(0));
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const read = (headers: Record<string, string> = {}): Promise<Reader> =>
    within(
      new Promise((resolve, reject) => {
        const asked = request({
          host: '127.0.0.1',
          port,
          path: '/v1/feed',
          headers: { ...bearer('viewer'), ...headers },
          agent: false,
        });
        asked.on('response', (response) => resolve(new Reader(response)));
        asked.on('error', reject);
        asked.end();
        t.after(() => asked.destroy());
      }),
      'the feed to open',
    );
  return { ...made, server, port, read };
}

const received = (n: number): Fact => ({
  type: 'event.received',
  event: eventRecord({ id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}` }),
});

describe('GET /v1/feed', () => {
  it('sends every fact as it becomes durable, with its number as id', async (t) => {
    const { engine, read } = await serve(t);
    engine.record(received(1));
    const reader = await read();
    assert.match(String(reader.response.headers['content-type']), /^text\/event-stream/);
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    const message = await reader.next();
    assert.equal(message.id, '2');
    assert.equal(message.event, 'mitigation.created');
    const data = JSON.parse(message.data ?? '');
    assert.equal(data.seq, 2);
    assert.equal(data.at, '2026-11-23T12:00:00.000Z');
    assert.equal(data.mitigation_id, MITIGATION_ID);
    assert.equal(data.mitigation.dst_prefix, '203.0.113.10/32');
  });

  it('resumes behind Last-Event-ID, missing nothing and repeating nothing', async (t) => {
    const { engine, read } = await serve(t);
    for (let n = 1; n <= 500; n++) engine.record(received(n));
    const reader = await read({ 'last-event-id': '3' });
    engine.record(received(501));
    for (let seq = 4; seq <= 501; seq++) assert.equal((await reader.next()).id, String(seq));
  });

  it('tells a reader that cannot resume to read the lists again', async (t) => {
    const { engine, read } = await serve(t);
    engine.kept = 2;
    for (let n = 1; n <= 5; n++) engine.record(received(n));
    for (const lastEventId of ['1', '99']) {
      const reader = await read({ 'last-event-id': lastEventId });
      assert.deepEqual(await reader.next(), { id: '5', event: 'resync', data: '{"seq":5}' });
    }
    const reader = await read({ 'last-event-id': '1' });
    await reader.next();
    engine.record(received(6));
    assert.equal((await reader.next()).id, '6');
  });

  it('refuses an id that it cannot have given', async (t) => {
    const { port } = await serve(t);
    const headers = { ...bearer('viewer'), 'last-event-id': 'abc' };
    assert.equal((await plainRequest(port, '/v1/feed', headers)).status, 400);
  });

  it('takes a limited number of readers, and their place is free again when they go', async (t) => {
    const { server, port, read } = await serve(t);
    const readers: Reader[] = [];
    for (let n = 0; n < MAX_READERS_OF_CLIENT; n++) readers.push(await read());
    const refused = await plainRequest(port, '/v1/feed', bearer('viewer'));
    assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '10']);
    assert.match(refused.body, /This token or address already has/);
    for (let n = MAX_READERS_OF_CLIENT; n < MAX_FEED_READERS; n++)
      readers.push(await read(bearer('operator')));
    assert.equal(server.feedReaders, MAX_FEED_READERS);
    assert.equal((await plainRequest(port, '/v1/feed', bearer('admin'))).status, 503);
    readers[0]?.response.destroy();
    const until = Date.now() + PATIENCE_MS;
    while (server.feedReaders === MAX_FEED_READERS && Date.now() < until) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(server.feedReaders, MAX_FEED_READERS - 1);
  });

  it('gives a reader no more at once than some hundred kilobytes, however long the facts are', async () => {
    const engine = new FakeEngine();
    const feed = new Feed(engine);
    const { detection } = eventRecord();
    const details = { padding: 'x'.repeat(16_000) };
    const [first, second] = [received(1), received(2)];
    engine.record(first, second);
    for (let n = 3; n <= 300; n++) {
      const id = `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
      engine.record({
        type: 'event.received',
        event: eventRecord({ id, detection: { ...detection, details } }),
      });
    }
    const written: number[] = [];
    const response = {
      on: () => response,
      end: () => undefined,
      write: (text: string) => {
        written.push(text.length);
        return text.length < 1000;
      },
    };
    feed.add(response as unknown as ServerResponse, 0, { client: 'name viewer' });
    feed.close();
    assert.ok(Math.max(...written) < 300_000, `${Math.max(...written)} characters at once`);
  });

  it('ends when the server closes', async (t) => {
    const { server, read } = await serve(t);
    const reader = await read();
    await within(server.close(), 'the server to close');
    await reader.ended();
  });

  it('drops a reader that does not read once it is 10,000 facts behind', async (t) => {
    const { engine, server, read } = await serve(t);
    const reader = await read();
    reader.response.pause();
    const { detection } = eventRecord();
    const details = { padding: 'x'.repeat(200_000) };
    let n = 0;
    const record = (count: number, padded: boolean) => {
      for (const until = n + count; n < until; ) {
        const id = `00000000-0000-4000-8000-${String(++n).padStart(12, '0')}`;
        const event = padded
          ? eventRecord({ id, detection: { ...detection, details } })
          : eventRecord({ id });
        engine.record({ type: 'event.received', event });
      }
    };
    // More than both sides' socket buffers hold.
    record(100, true);
    assert.equal(server.feedReaders, 1);
    record(10_100, false);
    assert.equal(server.feedReaders, 0);
  });

  it('takes what is durable for its beginning, not what a failing disk may take back', () => {
    const engine = new FakeEngine();
    const feed = new Feed(engine);
    engine.state.begin();
    engine.state.apply({ seq: 1, at: 0, fact: received(1) });
    assert.equal(feed.durable, 0);
    engine.state.rollback();
    feed.close();
  });
});
