/** Collects the answers that `init` needs, from its options or by asking at a terminal. */
import { createInterface } from 'node:readline/promises';
import type { z } from 'zod';
import type { FirstAnswers } from '../config/init/first-folder.ts';
import { DEFAULT_LISTEN } from '../config/schema/prefixd-schema.ts';
import { address, asn, ipv4Identifier, listen, name } from '../config/schema/fields.ts';
import { PLATFORMS } from '../config/init/router-snippets.ts';
import { integer, oneOf, prefix, words } from '../core/policy/value-kinds.ts';
import { canonicalAddress, parsePrefix } from '../net/prefix.ts';
import { CliError, type CommandContext, Exit, type Io } from './command-context.ts';
import { printable } from './tables.ts';

/** Holds the options of `init` as typed. */
export interface InitOptions {
  readonly asn?: string;
  readonly routerId?: string;
  readonly neighbor?: string;
  readonly address?: string;
  readonly peerAsn?: string;
  readonly platform?: string;
  readonly port?: string;
  readonly localAddress?: string;
  readonly customer?: string;
  readonly prefix?: readonly string[];
  readonly listen?: string;
  readonly yes?: true;
}

type Key = Exclude<keyof InitOptions, 'yes'>;

/** Maps options to values as text; several prefixes are separated by spaces. */
type KnownAnswers = Readonly<Partial<Record<Key, string>>>;

interface Field {
  readonly key: Key;
  readonly option: string;
  /** The question at a terminal; absent: never asked, the option only. */
  readonly question?: (known: KnownAnswers) => string;
  readonly fallback?: (known: KnownAnswers) => string | undefined;
  readonly kind: z.ZodType;
  readonly isNumber?: true;
  readonly isList?: true;
}

const routerOf = ({ neighbor }: KnownAnswers): string => neighbor ?? 'the router';

/** Lists the fields in the order of the questions. */
const FIELDS: readonly Field[] = [
  { key: 'asn', option: '--asn', question: () => 'AS number of prefixd', kind: asn, isNumber: true },
  {
    key: 'routerId',
    option: '--router-id',
    question: () => 'BGP identifier of prefixd, usually its IPv4 address',
    kind: ipv4Identifier,
  },
  {
    key: 'neighbor',
    option: '--neighbor',
    question: () => 'Name of the first router',
    fallback: () => 'edge1',
    kind: name,
  },
  {
    key: 'address',
    option: '--address',
    question: (known) => `Address of ${routerOf(known)}`,
    kind: address,
  },
  {
    key: 'peerAsn',
    option: '--peer-asn',
    question: (known) => `AS number of ${routerOf(known)}`,
    kind: asn,
    isNumber: true,
  },
  {
    key: 'platform',
    option: '--platform',
    question: (known) => `Platform of ${routerOf(known)} (${PLATFORMS.join(', ')})`,
    kind: oneOf(PLATFORMS),
  },
  {
    key: 'port',
    option: '--port',
    fallback: () => '179',
    kind: integer(1, 65535),
    isNumber: true,
  },
  {
    key: 'localAddress',
    option: '--local-address',
    question: (known) => `Address from which prefixd connects to ${routerOf(known)}`,
    // The router id is usually an IPv4 address of this host. There is no such default for IPv6.
    fallback: ({ address: router, routerId }) => (router?.includes(':') === false ? routerId : undefined),
    kind: address,
  },
  {
    key: 'customer',
    option: '--customer',
    question: () => 'Name of the first customer',
    kind: words,
  },
  {
    key: 'prefix',
    option: '--prefix',
    question: ({ customer }) => `Prefixes of ${customer ?? 'the customer'}, separated by spaces`,
    kind: prefix,
    isList: true,
  },
  { key: 'listen', option: '--listen', fallback: () => DEFAULT_LISTEN, kind: listen },
];

/**
 * Returns the answers. At a terminal, asks for each missing value until it is valid. Without a terminal, or with `--yes`,
 * throws one CliError 5 that names every missing or invalid value.
 */
export async function readAnswers(
  context: CommandContext,
  options: InitOptions,
  storagePath: string,
): Promise<FirstAnswers> {
  const given = givenAnswers(options);
  const wrong = FIELDS.flatMap((field) => flawOf(field, given[field.key]) ?? []);
  const { io } = context;
  const asks = io.inputIsTerminal && options.yes !== true;
  if (asks && wrong.length === 0) return answersOf(await ask(io, given), storagePath);
  const known = withDefaults(given);
  const missing = FIELDS.filter(({ key }) => known[key] === undefined).map(({ option }) => option);
  const lines = [...(missing.length === 0 ? [] : [`missing: ${missing.join(', ')}`]), ...wrong];
  if (lines.length > 0) {
    throw new CliError(
      Exit.InvalidInput,
      `${lines.join('\n  ')}\n  (prefixd init --help explains each option)`,
    );
  }
  return answersOf(known, storagePath);
}

function givenAnswers(options: InitOptions): KnownAnswers {
  const { yes: _yes, prefix: prefixes, ...texts } = options;
  return { ...texts, ...(prefixes === undefined ? {} : { prefix: prefixes.join(' ') }) };
}

function withDefaults(given: KnownAnswers): KnownAnswers {
  let known = given;
  for (const { key, fallback } of FIELDS) {
    const value = known[key] ?? fallback?.(known);
    if (value !== undefined) known = { ...known, [key]: value };
  }
  return known;
}

/** Returns the error in a value, with the option's name; undefined if the value is valid. */
function flawOf({ option, kind, isNumber, isList }: Field, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const parts = isList === true ? listOf(value) : [value];
  for (const part of parts.length === 0 ? [''] : parts) {
    const typed = isNumber === true ? (/^\d+$/.test(part) ? Number(part) : Number.NaN) : part;
    // A zone is valid on this host only, and the router's configuration names the address, too.
    if (kind.safeParse(typed).success && !part.includes('%')) continue;
    const why = isList === true ? parsePrefix(part) : undefined;
    if (why?.ok === false) return `invalid ${option}: ${printable(why.error)}`;
    const expected = `${String(kind.meta()?.expects)}${part.includes('%') ? ', without a zone' : ''}`;
    return `invalid ${option} ${JSON.stringify(printable(part))}: expected ${expected}`;
  }
  return undefined;
}

function listOf(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((part) => part !== '');
}

/** Asks for the missing values on standard error. CliError 1 if the input ends. */
async function ask(io: Io, given: KnownAnswers): Promise<KnownAnswers> {
  const input = createInterface({ input: io.stdin });
  const lines = input[Symbol.asyncIterator]();
  try {
    let known = given;
    for (const field of FIELDS) {
      if (known[field.key] !== undefined) continue;
      known = { ...known, [field.key]: await askOne(io, lines, field, known) };
    }
    return known;
  } finally {
    input.close();
  }
}

async function askOne(
  io: Io,
  lines: AsyncIterator<string>,
  field: Field,
  known: KnownAnswers,
): Promise<string> {
  const fallback = field.fallback?.(known);
  if (field.question === undefined) return fallback ?? '';
  for (;;) {
    io.stderr.write(`${field.question(known)}${fallback === undefined ? '' : ` [${fallback}]`}: `);
    const line = await lines.next();
    if (line.done === true)
      throw new CliError(
        Exit.Other,
        'nothing was written: the input ended before all questions were answered',
      );
    const typed = line.value.trim();
    const value = typed === '' && fallback !== undefined ? fallback : typed;
    const flaw = flawOf(field, value);
    if (flaw === undefined) return value;
    io.stderr.write(`  ${flaw}\n`);
  }
}

function answersOf(known: KnownAnswers, storagePath: string): FirstAnswers {
  const text = (key: Key): string => known[key] ?? '';
  const plain = (key: Key): string => canonicalAddress(text(key)) ?? text(key);
  const platform = PLATFORMS.find((one) => one === known.platform) ?? 'generic';
  return {
    localAsn: Number(text('asn')),
    routerId: plain('routerId'),
    neighbor: {
      name: text('neighbor'),
      address: plain('address'),
      port: Number(text('port')),
      localAddress: plain('localAddress'),
      peerAsn: Number(text('peerAsn')),
      platform,
    },
    customer: { id: text('customer'), prefixes: listOf(text('prefix')) },
    listen: text('listen'),
    storagePath,
  };
}
