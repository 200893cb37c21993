/**
 * Remembers on disk what scrubbers were asked for. Routes vanish with the daemon's sessions; protection at a scrubber
 * does not, and costs money, so a start must know what to stop. It is no intent and changes no decision: without the
 * file, everything that is active is requested again.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { parsePrefix } from '../net/prefix.ts';
import { SingleFlight } from '../net/single-flight.ts';
import { errorText } from '../net/text.ts';
import { createAtomically, type Files, readWhole } from '../store/files.ts';
import { PLACEHOLDERS, type PlaceholderValues } from './request-template.ts';

/** A prefix for which a start was sent, or is about to be. */
export interface LedgerEntry {
  readonly scrubber: string;
  readonly prefix: string;
  readonly values: PlaceholderValues;
  /** The scrubber has answered the start with success. */
  readonly confirmed: boolean;
  /** Since when it is to stop (ms since the epoch); absent: it is not. */
  readonly stoppingSince?: number;
}

const FILE = 'scrubber-requests.json';

/** Where a file that cannot be read is kept. */
const DAMAGED = `${FILE}.damaged`;

/** A larger file is not ours (bytes). */
const MOST_BYTES = 64 * 1024 * 1024;

const FileSchema = z.object({
  version: z.literal(1),
  protections: z.array(
    z.object({
      scrubber: z.string(),
      prefix: z.string().refine((text) => parsePrefix(text).ok),
      values: z.record(z.enum(PLACEHOLDERS), z.string()),
      confirmed: z.boolean(),
      stopping_since: z.number().optional(),
    }),
  ),
});

export class Ledger {
  readonly #files: Files;
  readonly #folder: string;
  readonly #flight = new SingleFlight<void>();
  #failure: string | undefined;
  #damage: string | undefined;

  /** The folder must exist; it is the journal's, whose lock keeps another daemon away. */
  constructor(folder: string, files: Files) {
    this.#folder = folder;
    this.#files = files;
  }

  /** The reason why the file cannot be written; undefined if the last write succeeded. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** The reason why the file could not be read at the start; undefined if it could. */
  get damage(): string | undefined {
    return this.#damage;
  }

  /** Returns the entries of the last run. A file that cannot be read is kept under another name and counts as empty. */
  async load(): Promise<readonly LedgerEntry[]> {
    try {
      const bytes = await readWhole(this.#files, join(this.#folder, FILE), MOST_BYTES);
      if (bytes === undefined) return [];
      const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
      const { protections } = FileSchema.parse(JSON.parse(text));
      return protections.map(({ stopping_since: since, ...entry }) => ({
        ...entry,
        ...(since === undefined ? {} : { stoppingSince: since }),
      }));
    } catch (error) {
      this.#damage = error instanceof z.ZodError ? 'its content is invalid' : errorText(error);
      await this.#files.rename(join(this.#folder, FILE), join(this.#folder, DAMAGED)).catch(() => undefined);
      return [];
    }
  }

  /**
   * Writes the entries that `current` returns when the write begins. Resolves when they are durable, or with a `failure`;
   * never rejects.
   */
  save(current: () => readonly LedgerEntry[]): Promise<void> {
    return this.#flight.run(async () => {
      try {
        await createAtomically(this.#files, this.#folder, FILE, encoded(current()));
        this.#failure = undefined;
      } catch (error) {
        this.#failure = errorText(error);
      }
    });
  }
}

async function* encoded(entries: readonly LedgerEntry[]): AsyncIterable<Uint8Array> {
  const content: z.input<typeof FileSchema> = {
    version: 1,
    protections: entries.map(({ scrubber, prefix, values, confirmed, stoppingSince }) => ({
      scrubber,
      prefix,
      values,
      confirmed,
      ...(stoppingSince === undefined ? {} : { stopping_since: stoppingSince }),
    })),
  };
  yield new TextEncoder().encode(`${JSON.stringify(content)}\n`);
}
