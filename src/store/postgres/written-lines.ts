/**
 * Keeps the newest facts' lines in memory, so that facts that a failover of the database has lost can be written again.
 * Bounded in number and size.
 */
import { Fifo } from '../../net/queue.ts';

/** Consecutive lines, as they were written together; joined by line feeds. */
export interface LineGroup {
  readonly first: number;
  readonly count: number;
  readonly text: string;
}

export interface WrittenLimits {
  readonly facts: number;
  readonly characters: number;
}

const LIMITS: WrittenLimits = { facts: 50_000, characters: 32 << 20 };

export class WrittenLines {
  readonly #limits: WrittenLimits;
  readonly #groups = new Fifo<LineGroup>();
  #facts = 0;
  #characters = 0;

  constructor(limits: WrittenLimits = LIMITS) {
    this.#limits = limits;
  }

  /** Number of the oldest fact that is kept; undefined if none is. */
  get first(): number | undefined {
    return this.#groups.oldest?.first;
  }

  /** Adds the lines that follow the newest ones. */
  add(group: LineGroup): void {
    this.#groups.push(group);
    this.#facts += group.count;
    this.#characters += group.text.length;
    const { facts, characters } = this.#limits;
    while (this.#groups.size > 0 && (this.#facts > facts || this.#characters > characters)) {
      const oldest = this.#groups.shift();
      this.#facts -= oldest?.count ?? 0;
      this.#characters -= oldest?.text.length ?? 0;
    }
  }

  /** Returns the groups from this fact on, the first one cut to begin with it; undefined if that is not kept. */
  from(seq: number): readonly LineGroup[] | undefined {
    const { first } = this;
    if (first === undefined || first > seq) return undefined;
    return this.#groups
      .list()
      .filter((group) => group.first + group.count > seq)
      .map((group) => (group.first >= seq ? group : cut(group, seq)));
  }
}

function cut({ first, count, text }: LineGroup, seq: number): LineGroup {
  const skipped = seq - first;
  return { first: seq, count: count - skipped, text: text.split('\n').slice(skipped).join('\n') };
}
