/**
 * Journals that are cut short or have a bit flipped. What is read of one must be what was written, fact by fact, or reading
 * must fail and say where; only the newest facts may be missing, and then with a warning. One thing cannot be noticed from the
 * journal alone: a newest segment that is cut where a line ends (the audit log notices that: docs/decisions/0029).
 */
import { deepStrictEqual } from 'node:assert';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RecordedFact } from '../../src/core/facts.ts';
import { Journal } from '../../src/store/journal/journal.ts';
import { StoreError } from '../../src/store/store.ts';
import { verifyJournal } from '../../src/store/journal/verify.ts';
import { facts as factsFromTo, openAndRead } from '../../test/store/support.ts';
import type { Random } from '../fuzzing.ts';

export interface Damages {
  readonly cuts: number;
  readonly flips: number;
  /** Reading failed and named the place. */
  readonly refused: number;
  /** Reading warned of newest facts that are missing, or of a line that was mended. */
  readonly warned: number;
}

interface Written {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly newest: string;
  readonly facts: readonly RecordedFact[];
}

/** Describes the damage done to a file. */
interface Change {
  readonly file: string;
  readonly octets: Buffer;
  readonly text: string;
  /** The newest segment, cut where a line ends. */
  readonly isClean: boolean;
}

const FACTS = 120;

/** Tries until the time is over, at least once. Rejects with the first damage that was read without a word. */
export async function damages(random: Random, until: number): Promise<Damages> {
  const folder = await mkdtemp(join(tmpdir(), 'prefixd-damage-'));
  const done = { cuts: 0, flips: 0, refused: 0, warned: 0 };
  try {
    const written = await write(join(folder, 'whole'));
    const tried = join(folder, 'tried');
    do {
      const isCut = random(2) === 0;
      const change = isCut ? cut(written, random) : flip(written, random);
      done[isCut ? 'cuts' : 'flips']++;
      await mkdir(tried);
      for (const [name, octets] of written.files) {
        await writeFile(join(tried, name), name === change.file ? change.octets : octets);
      }
      const { damage, warnings } = await verifyJournal(tried);
      const outcome = await read(tried, written).catch((error: Error) => {
        throw new Error(`${change.text}: ${error.message}`);
      });
      if (outcome !== 'silent') done[outcome]++;
      if (outcome === 'silent' && damage === null && warnings.length === 0 && !change.isClean) {
        throw new Error(`${change.text}: neither reading nor verifying said a word`);
      }
      await rm(tried, { recursive: true });
    } while (performance.now() < until);
    return done;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A journal of three segments and two snapshots. */
async function write(folder: string): Promise<Written> {
  const journal = new Journal({ folder });
  await openAndRead(journal);
  const facts = factsFromTo(1, FACTS);
  for (const [index, one] of facts.entries()) {
    await journal.append([one]);
    const seq = index + 1;
    if (seq === 40 || seq === 80) await journal.snapshot({ schema: 1, seq, data: { upTo: seq } });
  }
  await journal.close();
  const names = (await readdir(folder)).filter((name) => name.endsWith('.jsonl')).sort();
  const files = new Map<string, Buffer>();
  for (const name of names) files.set(name, await readFile(join(folder, name)));
  const newest = names.filter((name) => name.startsWith('journal-')).at(-1);
  if (newest === undefined) throw new Error(`no segment in ${folder}: ${names.join(', ')}`);
  return { files, newest, facts };
}

function pick({ files }: Written, random: Random): readonly [file: string, octets: Buffer] {
  const picked = [...files][random(files.size)];
  if (picked === undefined) throw new Error('the journal has no files');
  return picked;
}

function cut(written: Written, random: Random): Change {
  const [file, whole] = pick(written, random);
  const octets = whole.subarray(0, random(whole.length));
  const isClean = file === written.newest && (octets.length === 0 || octets.at(-1) === 0x0a);
  return { file, octets, text: `${file} cut to ${octets.length} of ${whole.length} octets`, isClean };
}

function flip(written: Written, random: Random): Change {
  const [file, whole] = pick(written, random);
  const octets = Buffer.from(whole);
  const at = random(octets.length);
  const bit = random(8);
  octets.writeUInt8((octets[at] ?? 0) ^ (1 << bit), at);
  return { file, octets, text: `${file} with bit ${bit} of octet ${at} flipped`, isClean: false };
}

/** Opens the journal as the daemon does. Rejects when it gives anything that was not written. */
async function read(folder: string, { facts: all }: Written): Promise<'refused' | 'warned' | 'silent'> {
  const journal = new Journal({ folder });
  try {
    const { facts, recovery } = await openAndRead(journal);
    const from = recovery.snapshot?.seq ?? 0;
    deepStrictEqual(recovery.snapshot?.data ?? null, from === 0 ? null : { upTo: from });
    deepStrictEqual(facts, all.slice(from, from + facts.length));
    return recovery.warnings.length > 0 ? 'warned' : 'silent';
  } catch (error) {
    if (error instanceof StoreError) return 'refused';
    throw error;
  } finally {
    await journal.close();
  }
}
