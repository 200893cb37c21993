/** How much a batch may hold, and how much it is answered: one result an event, in their order, bounded in bytes. */
import type { z } from 'zod';
import { countWords, cutText } from '../net/text.ts';
import { HttpProblem } from './http-problem.ts';
import type { BatchAnswerSchema } from './answer-schemas.ts';

export type BatchAnswer = z.output<typeof BatchAnswerSchema>;
export type BatchResult = BatchAnswer['results'][number];

/** Events of one batch; more answer 413. */
export const MAX_BATCH = 10_000;
/** Of the events that cannot be read, so many are recorded and described; the others are counted. */
export const MAX_DESCRIBED = 1_000;
/** Characters of `error` and `why` in one answer, and of one `error`. */
const MAX_WORDS = 1024 * 1024;
const MAX_ERROR = 500;

/** 413 for more events than a batch may have. */
export function refuseLongBatch(events: number): void {
  if (events <= MAX_BATCH) return;
  throw new HttpProblem(
    413,
    `The batch has more than ${MAX_BATCH} events; nothing of it was read; send it in parts`,
  );
}

/** Words for one event that cannot be read. */
export function invalidResult(error: string): BatchResult {
  return { code: 400, status: 'invalid', error: cutText(error, MAX_ERROR), reason: 'invalid_report' };
}

/** The answer made of all results: words beyond what an answer may have are left out, and `notes` says what is missing. */
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
          `${countWords(undescribed, 'more event')} could not be read; only the first ${MAX_DESCRIBED} are recorded and described`,
        ]),
    ...(wordless === 0
      ? []
      : [`the answer would be too long: ${countWords(wordless, 'result')} without error and why`]),
  ];
  return { results, ...(notes.length === 0 ? {} : { notes }) };
}
