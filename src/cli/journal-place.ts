/** Reads where a journal is: a folder, or a database and a name. */
import { CliError, type CommandContext, Exit } from './command-context.ts';

/** A place as the command line names it. */
export type JournalPlace =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'database'; readonly url: string; readonly name: string };

/** How help names the places. */
export const PLACES =
  'A journal is a folder, or postgres:VARIABLE/NAME: the environment variable with the URL of the database, and the name of the journal there.';

const SYNTAX = /^postgres:([A-Za-z_][A-Za-z0-9_]*)\/([A-Za-z0-9._-]{1,64})$/;

/** Parses a place. Throws CliError for a URL on the command line, where others see it, and a variable that is not set. */
export function journalPlace({ io }: CommandContext, text: string): JournalPlace {
  if (!/^postgres(?:ql)?:/.test(text)) return { kind: 'folder', path: text };
  const [, variable, name] = SYNTAX.exec(text) ?? [];
  if (variable === undefined || name === undefined) {
    throw new CliError(
      Exit.InvalidInput,
      'invalid journal in a database: write postgres:VARIABLE/NAME, with the environment variable that contains the URL',
    );
  }
  return { kind: 'database', url: databaseUrl(io.env, variable), name };
}

/** Returns the URL in an environment variable. Throws CliError if it is not set or no such URL. */
export function databaseUrl(
  environment: Readonly<Record<string, string | undefined>>,
  variable: string,
): string {
  const url = environment[variable];
  if (url === undefined || url === '') {
    throw new CliError(Exit.InvalidInput, `the environment variable ${variable} is not set`);
  }
  if (/^postgres(?:ql)?:\/\//.test(url)) return url;
  throw new CliError(
    Exit.InvalidInput,
    `the value of the environment variable ${variable} is not a URL that begins with postgresql://`,
  );
}
