/** Turns each kind of failure into an `application/problem+json` answer (RFC 9457). */
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { JournalRefusal } from '../control/refusals.ts';
import { issueWords, saysMissing } from '../intake/issue-words.ts';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** An invalid field and the reason. `field`: such as `top_dst_ports[2]`; empty for the body as a whole. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

/** An error's body. `error` repeats `detail` for clients written for upstream prefixd. */
export interface ProblemDetails {
  readonly type: 'about:blank';
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly error: string;
  /** For refusals: a stable snake_case code. */
  readonly reason?: string;
  readonly errors?: readonly FieldError[];
  readonly [extension: string]: unknown;
}

/** A problem's optional members, and its response headers. */
export interface ProblemExtras {
  readonly reason?: string;
  readonly errors?: readonly FieldError[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the body (RFC 9457 §3.2). */
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** An error that handlers throw to answer a request with a problem that the caller can act on. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly status: number;
  readonly extras: ProblemExtras;

  constructor(status: number, detail: string, extras: ProblemExtras = {}) {
    super(detail);
    this.status = status;
    this.extras = extras;
  }
}

/** Makes the body for a status and detail. */
export function problemBody(status: number, detail: string, extras: ProblemExtras = {}): ProblemDetails {
  return {
    type: 'about:blank',
    status,
    title: TITLES[status] ?? 'Error',
    detail,
    error: detail,
    ...(extras.reason === undefined ? {} : { reason: extras.reason }),
    ...(extras.errors === undefined ? {} : { errors: extras.errors }),
    ...extras.extensions,
  };
}

/** Makes a 400 that names the fields; `errors` must not be empty. */
export function invalidFields(errors: readonly FieldError[]): HttpProblem {
  const detail = errors
    .map(({ field, message }) => (field === '' ? message : `${field}: ${message}`))
    .join('; ');
  return new HttpProblem(400, detail, { errors });
}

/** Makes a 400 for one field. */
export function invalidField(field: string, message: string): HttpProblem {
  return invalidFields([{ field, message }]);
}

/** Recognizes store failures by name, because this room may not import the store. */
export function isStoreError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'StoreError';
}

/** Maximum number of field errors in an answer. */
const MAX_FIELD_ERRORS = 20;

/**
 * Returns the problem for an error. `unexpected` is true for prefixd's own failures: the log shows them, the answer
 * does not contain their text. `bodyLimit` is the route's body limit (bytes), for the text of a 413.
 */
export function toProblem(
  error: unknown,
  bodyLimit?: number,
): { readonly problem: HttpProblem; readonly unexpected: boolean } {
  if (error instanceof HttpProblem) return { problem: error, unexpected: false };
  if (error instanceof JournalRefusal) {
    // Not unexpected: the engine has already logged that its journal does not answer.
    return {
      problem: new HttpProblem(503, error.message, { headers: { 'retry-after': '5' } }),
      unexpected: false,
    };
  }
  if (isStoreError(error)) {
    const problem = new HttpProblem(503, 'The journal cannot be written, so nothing was changed; try again', {
      headers: { 'retry-after': '5' },
    });
    return { problem, unexpected: true };
  }
  if (hasZodFastifySchemaValidationErrors(error)) {
    const errors = error.validation.slice(0, MAX_FIELD_ERRORS).flatMap((issue) => fieldErrors(issue));
    return { problem: invalidFields(errors), unexpected: false };
  }
  const known = fastifyError(error, bodyLimit);
  if (known !== undefined) return { problem: known, unexpected: false };
  const detail = "Internal error in prefixd; its log has the details under this answer's request_id";
  return { problem: new HttpProblem(500, detail), unexpected: true };
}

interface Issue {
  readonly instancePath: string;
  readonly message?: string | undefined;
  readonly keyword: string;
  readonly params: Record<string, unknown>;
}

/**
 * Makes field errors of an issue: `/top_dst_ports/2` becomes `top_dst_ports[2]`, and a missing value is named as such.
 */
function fieldErrors(issue: Issue): readonly FieldError[] {
  const field = fieldName(issue.instancePath.split('/').filter((part) => part !== ''));
  const unknown = issue.params.keys;
  if (issue.keyword === 'unrecognized_keys' && Array.isArray(unknown)) {
    return unknown
      .slice(0, MAX_FIELD_ERRORS)
      .map((key) => ({ field: join(field, shorten(String(key))), message: 'is not a valid field' }));
  }
  const message = issue.message ?? 'is invalid';
  if (saysMissing(message)) {
    return [{ field, message: field === '' ? 'a JSON body is required' : 'is required' }];
  }
  return [{ field, message: issueWords(issue.params, message) }];
}

function fieldName(path: readonly string[]): string {
  let name = '';
  for (const part of path) name = /^\d+$/.test(part) ? `${name}[${part}]` : join(name, shorten(part));
  return name;
}

const join = (outer: string, inner: string): string => (outer === '' ? inner : `${outer}.${inner}`);

const shorten = (text: string): string => (text.length > 64 ? `${text.slice(0, 64)}...` : text);

/** Returns the problem for an error that Fastify itself found in a request. */
function fastifyError(error: unknown, bodyLimit: number | undefined): HttpProblem | undefined {
  if (!(error instanceof Error) || !('statusCode' in error) || typeof error.statusCode !== 'number') {
    return undefined;
  }
  const status = error.statusCode;
  const code = 'code' in error ? error.code : undefined;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const limit = bodyLimit === undefined ? 'this endpoint accepts' : `${bodyLimit / (1024 * 1024)} MiB`;
    return new HttpProblem(413, `The body is larger than ${limit}`);
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new HttpProblem(415, 'The body must be JSON, with "Content-Type: application/json"');
  }
  if (code === 'FST_ERR_BAD_URL') return new HttpProblem(400, 'The path is not properly percent-encoded');
  if (status >= 400 && status < 500) return new HttpProblem(status, error.message);
  return undefined;
}
