/**
 * Makes one attempt to send a request: its time limit, the meaning of its response, the pause before the next one, and
 * the reason of a failure without secrets. Alerts and requests to scrubbers share it.
 */
import { errorText } from '../net/text.ts';
import type { HttpRequest, PostAnswer, Poster } from './post.ts';

/** Calls back once after the delay (ms); returns a function that cancels it. */
export interface AlertTimers {
  readonly after: (milliseconds: number, callback: () => void) => () => void;
}

/** Result of an attempt. `refused`: another attempt would have the same result. */
export type Attempt =
  | { readonly verdict: 'delivered' }
  | { readonly verdict: 'refused'; readonly detail: string }
  | { readonly verdict: 'again'; readonly detail: string; readonly afterMs: number | undefined };

export interface AttemptOptions {
  readonly poster: Poster;
  readonly timers: AlertTimers;
  /** Time limit, from connecting to the end of the response (ms). */
  readonly timeoutMs: number;
  /** Ends the attempt before that. */
  readonly controller: AbortController;
  /** Status codes that mean success, besides 2xx. */
  readonly accepted?: ReadonlySet<number>;
  /** Returns the pause that a response's body asks for (ms), if its header does not. */
  readonly bodyPauseMs?: ((body: string) => number | undefined) | undefined;
  /** Called with the response. */
  readonly onAnswer?: (answer: PostAnswer) => void;
}

/** Sends a request once. Never rejects. */
export async function makeAttempt(request: HttpRequest, options: AttemptOptions): Promise<Attempt> {
  const { poster, timers, timeoutMs, controller, onAnswer } = options;
  const late = new Error(`no response within ${timeoutMs} ms`);
  const cancel = timers.after(timeoutMs, () => controller.abort(late));
  try {
    const answer = await poster.post(request, controller.signal);
    onAnswer?.(answer);
    return attemptOf(answer, options);
  } catch (error) {
    const reason: unknown = controller.signal.aborted ? controller.signal.reason : error;
    const detail = errorText(reason);
    return isRefusedAddress(reason)
      ? { verdict: 'refused', detail }
      : { verdict: 'again', detail, afterMs: undefined };
  } finally {
    cancel();
  }
}

const NONE: ReadonlySet<number> = new Set();

function attemptOf(
  { status, retryAfterMs, text }: PostAnswer,
  { accepted = NONE, bodyPauseMs }: AttemptOptions,
): Attempt {
  if ((status >= 200 && status < 300) || accepted.has(status)) return { verdict: 'delivered' };
  const detail = `HTTP ${status}${text === '' ? '' : `: ${text}`}`;
  // Retry these (RFC 9110 §15.5.9 and §15.6, RFC 6585 §4). A retry would not change any other response.
  if (status >= 500 || status === 429 || status === 408)
    return { verdict: 'again', detail, afterMs: retryAfterMs ?? bodyPauseMs?.(text) };
  if (status >= 300 && status < 400) {
    return {
      verdict: 'refused',
      detail: `HTTP ${status}: redirects are not followed; configure the final URL`,
    };
  }
  return { verdict: 'refused', detail };
}

function isRefusedAddress(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'REFUSED_ADDRESS';
}

/** Pauses between attempts. */
export interface PauseLimits {
  /** Pause after the first failure, doubled with each further one up to `maxPauseMs`; half of it is random (ms). */
  readonly pauseMs: number;
  readonly maxPauseMs: number;
}

/**
 * Returns the pause after the failed attempt with this number, from 1 (ms). `random`: from 0 to less than 1. `wantedMs`:
 * the pause that the response asks for, which is respected up to a limit.
 */
export function pauseAfter(
  attempt: number,
  { pauseMs, maxPauseMs }: PauseLimits,
  random: number,
  wantedMs: number | undefined,
): number {
  const full = Math.min(maxPauseMs, pauseMs * 2 ** (attempt - 1));
  const own = full / 2 + (full / 2) * random;
  return Math.max(own, Math.min(wantedMs ?? 0, 5 * maxPauseMs));
}

const DETAIL_LENGTH = 200;

/** Returns the reason of a failure as one short line in which every secret is replaced. */
export function cleanDetail(detail: string, secrets: readonly string[]): string {
  let clean = detail.replaceAll(/[^\x20-\x7e]+/g, ' ').trim();
  for (const secret of secrets) if (secret !== '') clean = clean.replaceAll(secret, '[secret]');
  return clean.slice(0, DETAIL_LENGTH);
}

/** Returns the URL, and its path and query, which contain the token. */
export function urlSecrets(url: string): readonly string[] {
  if (!URL.canParse(url)) return [url];
  const { pathname, search } = new URL(url);
  return [url, ...(pathname.length > 1 || search !== '' ? [`${pathname}${search}`] : [])];
}
