/** Remembers things that may be taken once, for a short time, under secret keys; bounded, also for each client. */
import { hash, randomBytes } from 'node:crypto';

const SECRET_BYTES = 32;

export interface OneTimeOptions {
  /** Milliseconds. */
  readonly now: () => number;
  /** How long a thing may be taken (ms). */
  readonly lifetimeMs: number;
  /** Most things in total, and of one client. */
  readonly most: number;
  readonly mostOfClient: number;
}

interface OneTimeEntry<Thing> {
  readonly thing: Thing;
  readonly client: string;
  readonly at: number;
}

export class OneTime<Thing> {
  readonly #options: OneTimeOptions;
  /** By the key's digest, oldest first. */
  readonly #entries = new Map<string, OneTimeEntry<Thing>>();

  constructor(options: OneTimeOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Keeps a thing under a new key; undefined if this client, or all together, have too many. */
  put(thing: Thing, client: string): string | undefined {
    const { most, mostOfClient, now } = this.#options;
    this.#expire();
    if (this.#entries.size >= most) return undefined;
    let ofClient = 0;
    for (const entry of this.#entries.values()) if (entry.client === client) ofClient++;
    if (ofClient >= mostOfClient) return undefined;
    const key = randomBytes(SECRET_BYTES).toString('base64url');
    this.#entries.set(digest(key), { thing, client, at: now() });
    return key;
  }

  /** Returns and forgets the thing of a key; undefined if there is none, or it is too old. */
  take(key: string): Thing | undefined {
    this.#expire();
    const name = digest(key);
    const entry = this.#entries.get(name);
    this.#entries.delete(name);
    return entry?.thing;
  }

  #expire(): void {
    const { now, lifetimeMs } = this.#options;
    const oldest = now() - lifetimeMs;
    for (const [name, { at }] of this.#entries) {
      if (at > oldest) break;
      this.#entries.delete(name);
    }
  }
}

function digest(key: string): string {
  return hash('sha256', key, 'base64');
}
