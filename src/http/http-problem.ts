/** Errors as `application/problem+json` (RFC 9457), and what each kind of failure answers. */
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

/** One field that is wrong: where (`top_dst_ports[2]`; empty for the body as a whole) and how. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

/** The body of an error. `error` repeats `detail` for clients written for upstream prefixd. */
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

/** Parts of a problem beyond status and detail, and headers that belong to the answer. */
export interface ProblemExtras {
  readonly reason?: string;
  readonly errors?: readonly FieldError[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the body (RFC 9457 §3.2). */
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** Thrown by handlers to end a request with an error that the caller can act on. */
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

/** The body for a status and detail. */
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

/** A 400 that names the fields. At least one error. */
export function invalidFields(errors: readonly FieldError[]): HttpProblem {
  const detail = errors
    .map(({ field, message }) => (field === '' ? message : `${field}: ${message}`))
    .join('; ');
  return new HttpProblem(400, detail, { errors });
}

/** A 400 for one field. */
export function invalidField(field: string, message: string): HttpProblem {
  return invalidFields([{ field, message }]);
}

/** Store failures are known by name, because this room does not see the store. */
export function isStoreError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'StoreError';
}

/** How many field errors an answer lists. */
const MAX_FIELD_ERRORS = 20;

/**
 * What an error answers. `unexpected` is true for failures of ours, which the log must show; their text stays inside.
 * `bodyLimit` (bytes) is that of the route, for the words of a 413.
 */
export function toProblem(
  error: unknown,
  bodyLimit?: number,
): { readonly problem: HttpProblem; readonly unexpected: boolean } {
  if (error instanceof HttpProblem) return { problem: error, unexpected: false };
  if (error instanceof JournalRefusal) {
    // The engine has said once that its journal does not answer.
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
  const detail = 'Something went wrong inside prefixd; its log has the details under the request id';
  return { problem: new HttpProblem(500, detail), unexpected: true };
}

interface Issue {
  readonly instancePath: string;
  readonly message?: string | undefined;
  readonly keyword: string;
  readonly params: Record<string, unknown>;
}

/** Issues in words: `/top_dst_ports/2` becomes `top_dst_ports[2]`, and a missing value is called missing. */
function fieldErrors(issue: Issue): readonly FieldError[] {
  const field = fieldName(issue.instancePath.split('/').filter((part) => part !== ''));
  const unknown = issue.params.keys;
  if (issue.keyword === 'unrecognized_keys' && Array.isArray(unknown)) {
    return unknown
      .slice(0, MAX_FIELD_ERRORS)
      .map((key) => ({ field: join(field, shorten(String(key))), message: 'is not a known field' }));
  }
  const message = issue.message ?? 'is not valid';
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

/** Failures that Fastify itself found in a request, by its codes. */
function fastifyError(error: unknown, bodyLimit: number | undefined): HttpProblem | undefined {
  if (!(error instanceof Error) || !('statusCode' in error) || typeof error.statusCode !== 'number') {
    return undefined;
  }
  const status = error.statusCode;
  const code = 'code' in error ? error.code : undefined;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const limit = bodyLimit === undefined ? 'this call takes' : `${bodyLimit / (1024 * 1024)} MiB`;
    return new HttpProblem(413, `The body is larger than ${limit}`);
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new HttpProblem(415, 'The body must be JSON, with "Content-Type: application/json"');
  }
  if (code === 'FST_ERR_BAD_URL') return new HttpProblem(400, 'The path is not properly percent-encoded');
  if (status >= 400 && status < 500) return new HttpProblem(status, error.message);
  return undefined;
}
