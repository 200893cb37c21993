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

  /**
   * Keeps a thing under a new key. If this client has too many, its oldest makes room; if all together have too many, the
   * oldest of the client that has most: filling this up shuts nobody else out.
   */
  put(thing: Thing, client: string): string {
    const { most, mostOfClient, now } = this.#options;
    this.#expire();
    const counts = new Map<string, number>();
    for (const entry of this.#entries.values()) counts.set(entry.client, (counts.get(entry.client) ?? 0) + 1);
    if ((counts.get(client) ?? 0) >= mostOfClient) this.#forgetOldest(client);
    else if (this.#entries.size >= most) {
      const [largest] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), [client, 0]);
      this.#forgetOldest(largest);
    }
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

  #forgetOldest(client: string): void {
    for (const [name, entry] of this.#entries) {
      if (entry.client !== client) continue;
      this.#entries.delete(name);
      return;
    }
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
