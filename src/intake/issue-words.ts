/** Describes schema errors for people: types, bounds and choices. */

/** Matches the library's own messages, which are replaced; a schema's messages are kept. */
const GENERIC = /^(too (small|big)|invalid option|invalid input: expected )/i;

/** `details` are the issue's fields besides its message. */
export function issueWords(details: Readonly<Record<string, unknown>>, message: string): string {
  if (!GENERIC.test(message)) return message;
  const { expected, origin, minimum, maximum, inclusive, values } = details;
  const type = TYPES[String(expected)];
  if (type !== undefined) return `must be ${type}`;
  if (Array.isArray(values)) return `must be ${values.length === 1 ? '' : 'one of '}${values.join(', ')}`;
  const unit = UNITS[String(origin)];
  if (unit !== undefined) {
    if (minimum === 1) return 'must not be empty';
    return minimum === undefined
      ? `must have at most ${maximum} ${unit}`
      : `must have at least ${minimum} ${unit}`;
  }
  if (minimum !== undefined) return `must be ${inclusive === false ? 'above' : 'at least'} ${minimum}`;
  if (maximum !== undefined) return `must be ${inclusive === false ? 'below' : 'at most'} ${maximum}`;
  return message;
}

/** True when the library's message is about a missing value; an issue does not contain the value itself. */
export function saysMissing(message: string): boolean {
  return message.endsWith('received undefined');
}

const TYPES: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'a string',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

/** Units of values that have a length. */
const UNITS: Readonly<Record<string, string>> = { string: 'characters', array: 'entries' };
