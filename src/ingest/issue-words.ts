/** What a schema says of a value that does not fit, in words for people. Bounds and choices; the rest reads well already. */

/** The library's own message, which is replaced; a schema's own stands. */
const GENERIC = /^(too (small|big)|invalid option|invalid input: expected ")/i;

/** `details` are the fields of the issue beside its message. */
export function issueWords(details: Readonly<Record<string, unknown>>, message: string): string {
  if (!GENERIC.test(message)) return message;
  const { origin, minimum, maximum, inclusive, values } = details;
  if (Array.isArray(values)) return `must be ${values.length === 1 ? '' : 'one of '}${values.join(', ')}`;
  const unit = UNITS[String(origin)];
  if (unit !== undefined) {
    return minimum === undefined
      ? `must have at most ${maximum} ${unit}`
      : `must have at least ${minimum} ${unit}`;
  }
  if (minimum !== undefined) return `must be ${inclusive === false ? 'above' : 'at least'} ${minimum}`;
  if (maximum !== undefined) return `must be ${inclusive === false ? 'below' : 'at most'} ${maximum}`;
  return message;
}

/** What is counted in values that have a length. */
const UNITS: Readonly<Record<string, string>> = { string: 'characters', array: 'entries' };
