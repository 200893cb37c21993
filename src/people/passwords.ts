/**
 * Hashes and checks passwords with scrypt (RFC 7914). A hash says how it was made, so the costs of new ones can be raised:
 * `$scrypt$ln=16,r=8,p=2$<salt>$<key>`, in base64 without padding.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { Fifo } from '../net/queue.ts';

/** The costs of a hash: N = 2^ln, block size, repetitions. */
interface ScryptCost {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

/** 64 MiB and some 300 ms for each password. */
const COST: ScryptCost = { ln: 16, r: 8, p: 2 };
/** The highest costs of a hash that is accepted: 128 MiB. */
const MOST: ScryptCost = { ln: 17, r: 8, p: 4 };
/** The lowest N of a hash that is accepted; below it, guessing is cheap. */
const LEAST_LN = 14;
const SALT_BYTES = 16;
const KEY_BYTES = 32;

/** Longest password (characters); hashing a longer one takes no longer, but reading it does. */
export const MAX_PASSWORD = 1024;

/** A hash as it was read. */
interface ParsedHash {
  readonly cost: ScryptCost;
  readonly salt: Buffer;
  readonly key: Buffer;
}

const FORM = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{16,88})\$([A-Za-z0-9+/]{43})$/;

function parseHash(text: string): ParsedHash | undefined {
  const [, ln, r, p, salt = '', key = ''] = FORM.exec(text) ?? [];
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  const fits =
    cost.ln >= LEAST_LN &&
    cost.ln <= MOST.ln &&
    cost.r >= 1 &&
    cost.r <= MOST.r &&
    cost.p >= 1 &&
    cost.p <= MOST.p;
  return fits ? { cost, salt: Buffer.from(salt, 'base64'), key: Buffer.from(key, 'base64') } : undefined;
}

/** True for a hash that `checkPassword` can check. */
export function isPasswordHash(text: string): boolean {
  return parseHash(text) !== undefined;
}

/** Hashes a password for the users file. */
export async function hashPassword(password: string, cost: ScryptCost = COST): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const key = await derive(password, salt, cost);
  const text = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');
  return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${text(salt)}$${text(key)}`;
}

/** A hash that no password has, to spend the same time on people who do not exist. */
export const NOBODYS_HASH = `$scrypt$ln=${COST.ln},r=${COST.r},p=${COST.p}$${'A'.repeat(22)}$${'A'.repeat(43)}`;

/** Returns true if the password has this hash. The time does not depend on the result. */
export async function checkPassword(password: string, hash: string): Promise<boolean> {
  const parsed = parseHash(hash);
  if (parsed === undefined) throw new RangeError('this is not a hash of prefixd users hash');
  const key = await derive(password, parsed.salt, parsed.cost);
  return timingSafeEqual(key, parsed.key);
}

function derive(password: string, salt: Buffer, { ln, r, p }: ScryptCost): Promise<Buffer> {
  const N = 2 ** ln;
  // Twice what the algorithm needs, because Node counts its own use, too.
  const options = { N, r, p, maxmem: 256 * N * r };
  // One person types ü in one character, another in two.
  const typed = password.normalize('NFKC');
  return new Promise((resolve, reject) => {
    scrypt(typed, salt, KEY_BYTES, options, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}

/** Checks that may wait for their turn. */
const MAY_WAIT = 16;

/** Checks one password at a time, because each takes a thread that the journal's writes also need, and 64 MiB. */
export class PasswordChecks {
  readonly #check: typeof checkPassword;
  readonly #waiting = new Fifo<() => void>();
  #busy = false;

  constructor(check: typeof checkPassword = checkPassword) {
    this.#check = check;
  }

  /** Returns the result; undefined if too many wait already. */
  async check(password: string, hash: string): Promise<boolean | undefined> {
    if (this.#busy) {
      if (this.#waiting.size >= MAY_WAIT) return undefined;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#busy = true;
    try {
      return await this.#check(password, hash);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#busy = false;
      else next();
    }
  }
}
