/** Puts a newcomer's first configuration together and judges it as `check` will, before anything is written. */
import { assemble } from './assemble.ts';
import type { FirstAnswers } from './first-folder.ts';
import { firstInventory, firstSecrets, firstSettings, SECRETS_FILE } from './first-folder.ts';
import type { LeftOut, PlaybookFiles } from './fit-playbooks.ts';
import { fitPlaybooks } from './fit-playbooks.ts';
import { DEFAULT_TOKEN_ENV } from './schema.ts';
import type { ConfigProblem, ConfigResult } from './types.ts';
import { parseYaml } from './yaml.ts';

export interface FirstConfiguration {
  /** Texts by the name of their file within the folder. */
  readonly files: ReadonlyMap<string, string>;
  readonly playbookCount: number;
  readonly leftOut: readonly LeftOut[];
  /** Empty when `check` will find the folder valid. */
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/**
 * Makes the files of the folder. `shipped` are the playbooks that come with the program, by the name of their file; `token`
 * is the admin's. Problems and warnings name files by their name alone.
 */
export function firstConfiguration(
  answers: FirstAnswers,
  shipped: PlaybookFiles,
  token: string,
): FirstConfiguration {
  const settings = firstSettings(answers);
  const inventory = firstInventory(answers);
  const assembled = (playbooks: PlaybookFiles): ConfigResult =>
    assemble(
      {
        settings: parseYaml('prefixd.yaml', settings),
        inventory: parseYaml('inventory.yaml', inventory),
        playbooks: [...playbooks].map(([name, text]) => parseYaml(`playbooks/${name}`, text)),
        folder: '/',
        directory: null,
        files: [],
      },
      { [DEFAULT_TOKEN_ENV]: token },
    );
  const { files: playbooks, leftOut } = fitPlaybooks(shipped, (files) => {
    const result = assembled(files);
    return result.ok ? result.config.policy : null;
  });
  const result = assembled(playbooks);
  return {
    files: new Map([
      ['prefixd.yaml', settings],
      ['inventory.yaml', inventory],
      ...[...playbooks].map(([name, text]) => [`playbooks/${name}`, text] as const),
      [SECRETS_FILE, firstSecrets(answers, token)],
    ]),
    playbookCount: result.ok ? result.config.policy.playbooks.names.length : 0,
    leftOut,
    problems: result.ok ? [] : result.problems,
    warnings: result.warnings,
  };
}
