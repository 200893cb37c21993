/**
 * The sessions of people who have signed in. They live in memory only: a restart ends them all. Secrets are kept as
 * digests, so that neither a look-up's time nor a dump of the memory gives one away.
 */
import { hash, randomBytes } from 'node:crypto';
import { forgetOldest } from '../net/queue.ts';
import {
  type CurrentGrant,
  grantFor,
  type Identity,
  type SignInSettings,
  type Subject,
  subjectOf,
} from './sign-in-settings.ts';

/** Most sessions; beyond it, the one that was not used for longest ends. */
export const MAX_SESSIONS = 1_000;
/** Most sessions of one person; beyond it, the one that was not used for longest ends. */
export const MAX_SESSIONS_OF_PERSON = 20;
const SECRET_BYTES = 32;

/** Begins every session's secret, so that people and scanners recognize one. */
export const SECRET_PREFIX = 'pxs_';

/**
 * What carries the secret: a browser's cookie over HTTPS, one over plain HTTP at loopback, or the header of a command line.
 * A secret is valid in its own carrier only.
 */
export type SecretCarrier = 'cookie' | 'loopback-cookie' | 'header';

/** A session. */
export interface PersonSession {
  readonly identity: Identity;
  readonly carrier: SecretCarrier;
  readonly grant: CurrentGrant;
  readonly person: Subject;
  /** Its beginning (ms). */
  readonly since: number;
  /** Its last use by a person (ms). */
  usedAt: number;
}

export interface SessionStoreOptions {
  /** Milliseconds. */
  readonly now: () => number;
  /** Default: the system's. */
  readonly random?: (bytes: number) => Buffer;
}

export class SessionStore {
  readonly #now: () => number;
  readonly #random: (bytes: number) => Buffer;
  /** By the secret's digest, least recently used first. */
  readonly #sessions = new Map<string, PersonSession>();

  constructor({ now, random = randomBytes }: SessionStoreOptions) {
    this.#now = now;
    this.#random = random;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Begins a session and returns its secret, which is always a new one. */
  open(identity: Identity, grant: CurrentGrant, carrier: SecretCarrier): string {
    const secret = SECRET_PREFIX + this.#random(SECRET_BYTES).toString('base64url');
    const now = this.#now();
    const person = subjectOf(identity);
    const own = [...this.#sessions].filter(([, session]) => isOf(session, person));
    for (const [key] of own.slice(0, Math.max(0, own.length + 1 - MAX_SESSIONS_OF_PERSON))) {
      this.#sessions.delete(key);
    }
    this.#sessions.set(digest(secret), { identity, carrier, grant, person, since: now, usedAt: now });
    forgetOldest(this.#sessions, MAX_SESSIONS);
    return secret;
  }

  /**
   * Returns the session of a secret; undefined if there is none, if it is too old, or if the person may no longer do what
   * the session was begun with. `isUse`: a person is at work, which keeps it from ending for want of use.
   */
  find(
    secret: string,
    carrier: SecretCarrier,
    settings: SignInSettings | undefined,
    isUse: boolean,
  ): PersonSession | undefined {
    const key = digest(secret);
    const session = this.#sessions.get(key);
    if (session === undefined || session.carrier !== carrier) return undefined;
    if (settings === undefined || !this.#isValid(session, settings)) {
      this.#sessions.delete(key);
      return undefined;
    }
    if (!isUse) return session;
    session.usedAt = this.#now();
    this.#sessions.delete(key);
    this.#sessions.set(key, session);
    return session;
  }

  /** Ends a session. Returns it; undefined if there was none. */
  close(secret: string, carrier: SecretCarrier): PersonSession | undefined {
    const key = digest(secret);
    const session = this.#sessions.get(key);
    if (session === undefined || session.carrier !== carrier) return undefined;
    this.#sessions.delete(key);
    return session;
  }

  #isValid({ identity, grant, since, usedAt }: PersonSession, settings: SignInSettings): boolean {
    const now = this.#now();
    if (now - since >= settings.absoluteSeconds * 1000) return false;
    if (now - usedAt >= settings.idleSeconds * 1000) return false;
    return grantFor(settings, identity)?.seal === grant.seal;
  }
}

/** Returns the time at which a session ends even if it is used (ms). */
export function endOfSession({ since }: PersonSession, { absoluteSeconds }: SignInSettings): number {
  return since + absoluteSeconds * 1000;
}

function isOf({ person }: PersonSession, { issuer, subject }: Subject): boolean {
  return person.issuer === issuer && person.subject === subject;
}

function digest(secret: string): string {
  return hash('sha256', secret, 'base64');
}
