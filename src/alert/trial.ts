/** Sends a destination one test message and returns what it answered. */
import type { AlertAnswer } from '../view/alert-sending.ts';
import type { Alert } from './alert.ts';
import { type AlertTimers, type Attempt, cleanDetail, makeAttempt } from './attempt.ts';
import type { DestinationFormat } from './destinations.ts';
import type { PostAnswer, Poster } from './post.ts';

export interface TrialOptions {
  readonly format: DestinationFormat;
  /** True: the test opens an incident, which is closed again. */
  readonly hasIncidents: boolean;
  readonly poster: Poster;
  readonly timers: AlertTimers;
  /** Time limit of each request (ms). */
  readonly timeoutMs: number;
}

/** Makes one attempt for each request. The second one, which closes the incident, is made only after the first succeeded. */
export async function tryDestination(alert: Alert, options: TrialOptions): Promise<readonly AlertAnswer[]> {
  const first = await answerTo(alert, options.hasIncidents ? 'open' : 'message', options);
  if (!options.hasIncidents || !first.delivered) return [first];
  return [first, await answerTo({ ...alert, resolves: true }, 'close', options)];
}

async function answerTo(
  alert: Alert,
  request: AlertAnswer['request'],
  { format, poster, timers, timeoutMs }: TrialOptions,
): Promise<AlertAnswer> {
  let answer: PostAnswer | undefined;
  const attempt = await makeAttempt(format.requestOf([alert]), {
    poster,
    timers,
    timeoutMs,
    controller: new AbortController(),
    onAnswer: (given) => {
      answer = given;
    },
  });
  return {
    request,
    delivered: attempt.verdict === 'delivered',
    status: answer?.status,
    detail: cleanDetail(detailOf(attempt, answer), format.secrets),
  };
}

function detailOf(attempt: Attempt, answer: PostAnswer | undefined): string {
  return attempt.verdict === 'delivered' ? (answer?.text ?? '') : attempt.detail;
}
