/** Segments in their order: each begins where the one before ends, and only the newest may end within a line. */
import type { RecordedFact } from '../core/facts.ts';
import type { Files } from './files.ts';
import { DamageError, readSegment, type Segment } from './segments.ts';

/** How a chain of segments ends. */
export interface ChainEnd {
  readonly lastSeq: number;
  /** The segment to go on in; null when there is none at all. */
  readonly current: Segment | null;
  /** Octets at the end of `current` that are no whole lines. */
  readonly unterminated: number;
  /** Set when these are the remains of a write that a power failure tore; for an operator. */
  readonly torn: string | null;
  /** Empty segments that a failed rotation left: the one before was written on. They mean nothing. */
  readonly strays: readonly Segment[];
}

/**
 * The facts of consecutive segments in slices. `onSegment` is told of each one before it is read. Throws DamageError at
 * the first place that is not as it was written.
 */
export async function* readChain(
  files: Files,
  segments: readonly Segment[],
  onSegment?: (segment: Segment) => void,
): AsyncGenerator<readonly RecordedFact[], ChainEnd> {
  const strays: Segment[] = [];
  let current: Segment | null = null;
  let lastSeq = 0;
  let unterminated = 0;
  let torn: string | null = null;
  for (const segment of segments) {
    // A rotation leaves no empty segment behind. An empty one that another follows is a stray, and so is one that was
    // to follow a segment which was then written on: facts, or a part of one, stand there already.
    const isNewest = segment === segments.at(-1);
    const wasOvertaken = segment.seq <= lastSeq || unterminated > 0;
    if (
      segment.octets === 0 &&
      (!isNewest || (current !== null && segment.seq <= lastSeq + 1 && wasOvertaken))
    ) {
      strays.push(segment);
      continue;
    }
    if (current !== null) checkLink(current, lastSeq, unterminated, segment);
    onSegment?.(segment);
    ({ lastSeq, unterminated, torn } = yield* readSegment(files, segment, isNewest));
    current = segment;
  }
  return { lastSeq, current, unterminated, strays, torn };
}

function checkLink(before: Segment, lastSeq: number, unterminated: number, segment: Segment): void {
  if (unterminated > 0) {
    const detail = `its last line is cut off (${unterminated} octets), and a newer segment follows`;
    throw new DamageError(before.path, 0, detail);
  }
  if (segment.seq !== lastSeq + 1) {
    const detail = `it begins with fact ${segment.seq}, but the segment before it ends with ${lastSeq}`;
    throw new DamageError(segment.path, 0, detail);
  }
}
