/** Bounds a batch and its answer: one result per event, in order, limited in size. */
import type { z } from 'zod';
import { countWords, cutText } from '../net/text.ts';
import { HttpProblem } from './http-problem.ts';
import type { BatchAnswerSchema } from './answer-schemas.ts';

export type BatchAnswer = z.output<typeof BatchAnswerSchema>;
export type BatchResult = BatchAnswer['results'][number];

/** Maximum number of events in a batch; more are answered 413. */
export const MAX_BATCH = 10_000;
/** Maximum number of invalid events that are recorded and described; the others are only counted. */
export const MAX_DESCRIBED = 1_000;
/** Maximum number of characters of `error` and `why` in one answer, and of one `error`. */
const MAX_WORDS = 1024 * 1024;
const MAX_ERROR = 500;

/** Throws HttpProblem 413 for more than MAX_BATCH events. */
export function refuseLongBatch(events: number): void {
  if (events <= MAX_BATCH) return;
  throw new HttpProblem(
    413,
    `The batch has more than ${MAX_BATCH} events; none was processed; send it in several requests`,
  );
}

/** Makes the result of one invalid event. */
export function invalidResult(error: string): BatchResult {
  return { code: 400, status: 'invalid', error: cutText(error, MAX_ERROR), reason: 'invalid_report' };
}

/** Makes the answer of all results. Omits texts beyond MAX_WORDS; `notes` says what is omitted. */
export function batchAnswer(all: readonly BatchResult[], undescribed: number): BatchAnswer {
  let words = 0;
  let wordless = 0;
  const results = all.map((result): BatchResult => {
    const { error, why, ...rest } = result;
    words += (error?.length ?? 0) + (why ?? []).reduce((sum, line) => sum + line.length, 0);
    if (words <= MAX_WORDS || (error === undefined && why === undefined)) return result;
    wordless++;
    return rest;
  });
  const notes = [
    ...(undescribed === 0
      ? []
      : [
          `${countWords(undescribed, 'more event is', 'more events are')} invalid; only the first ${MAX_DESCRIBED} are recorded and described`,
        ]),
    ...(wordless === 0
      ? []
      : [`answer shortened: error and why omitted from ${countWords(wordless, 'result')}`]),
  ];
  return { results, ...(notes.length === 0 ? {} : { notes }) };
}
