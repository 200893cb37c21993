/**
 * Measures the lower bound of durable events on this framework: a Fastify handler that parses the same JSON, appends as many
 * octets as prefixd's journal would, in groups and durably, and answers. It decides nothing. Given a sink it writes the
 * same UPDATE for every event, encoded beforehand, as soon as the octets are on the disk.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import Fastify from 'fastify';
import { FloorSession } from '../drivers/floor-session.ts';

/** Options of the process. */
export interface BareOptions {
  readonly host: string;
  readonly file: string;
  /** Octets it appends for each event. */
  readonly octets: number;
  /** The receiver of UPDATEs; without it, none are written. */
  readonly sink?: { readonly host: string; readonly port: number };
}

export type BareReport = { readonly type: 'listening'; readonly host: string; readonly port: number };

const options: BareOptions = JSON.parse(process.argv[2] ?? '{}');
const { O_APPEND, O_CREAT, O_DSYNC, O_RDWR } = constants;
// As the journal is: what was written is on the disk when the call returns.
const file = await open(options.file, O_APPEND | O_CREAT | O_DSYNC | O_RDWR);
const line = Buffer.alloc(options.octets, 'x');
const session = options.sink === undefined ? null : new FloorSession(options.host, options.sink);
session?.prepare(0, 1);

let waiting: (() => void)[] = [];
let writing = false;

/** Resolves when the octets of this event are durable, together with those of whoever came meanwhile. */
function durable(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (writing) return;
    writing = true;
    setImmediate(() => void write());
  });
}

async function write(): Promise<void> {
  while (waiting.length > 0) {
    const group = waiting;
    waiting = [];
    await file.write(Buffer.concat(group.map(() => line)));
    for (const resolve of group) resolve();
  }
  writing = false;
}

const app = Fastify();
app.post('/v1/events', async (request, reply) => {
  const { body } = request;
  if (typeof body !== 'object' || body === null) throw new Error('not an event');
  await durable();
  session?.write();
  reply.code(202);
  return { event_id: '00000000-0000-4000-8000-000000000000', mitigation_id: null, status: 'accepted' };
});
await app.listen({ host: options.host, port: 0 });
const address = app.server.address();
if (address !== null && typeof address === 'object') {
  process.send?.({ type: 'listening', host: options.host, port: address.port } satisfies BareReport);
}
process.on('disconnect', () => process.exit(0));
