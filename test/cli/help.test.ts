/** Help that can be followed as it is written, and failures that say everything at once. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { Io } from '../../src/cli/command-context.ts';
import { CliCommand } from '../../src/cli/command.ts';
import { loadProgram } from '../../src/cli/program.ts';
import { cli } from './harness.ts';

const SILENT: Io = {
  stdin: Readable.from([]),
  stdout: { write: () => undefined },
  stderr: { write: () => undefined },
  env: {},
  inputIsTerminal: false,
  outputIsTerminal: false,
  errorIsTerminal: false,
  columns: 80,
  wait: () => Promise.resolve(),
};

function everyCommand(command: CliCommand): readonly CliCommand[] {
  const below = command.commands.filter((one) => one instanceof CliCommand);
  return [command, ...below.flatMap(everyCommand)].filter((one) => one.name() !== 'help');
}

/** The lines below "Examples:". */
function examplesIn(help: string): readonly string[] {
  const lines = (help.split('\nExamples:\n')[1] ?? '').replaceAll(/ \\\n +/g, ' ').split('\n');
  return lines.filter((line) => line.startsWith('  prefixd '));
}

/** Words of an example as the program is given them, command by command of a pipe. */
function wordsOf(example: string): readonly (readonly string[])[] {
  return example
    .split('|')
    .map((part) =>
      [...part.replace(/[<>].*/, '').matchAll(/"([^"]*)"|(\S+)/g)].map((one) => one[1] ?? one[2] ?? ''),
    );
}

test('the help of every command has examples and the options of all commands', async () => {
  const commands = everyCommand(await loadProgram(SILENT));
  assert.ok(commands.length > 35, `${commands.length} commands`);
  for (const command of commands) {
    const { code, stdout } = await cli([...command.path.split(' ').slice(1), '--help']);
    assert.equal(code, 0, command.path);
    assert.ok(stdout.startsWith(`Usage: ${command.path} `), stdout);
    assert.ok(examplesIn(stdout).length > 0, `${command.path} has no example`);
    if (command.parent !== null)
      assert.match(stdout, /^Global Options:\n[\s\S]*^ {2}--api <url> /m, command.path);
    for (const line of stdout.split('\n')) {
      assert.ok(line.length <= 80, `${command.path}: ${line}`);
    }
  }
});

test('every example in the help runs as it is written', async () => {
  const commands = everyCommand(await loadProgram(SILENT));
  for (const { path } of commands) {
    const { stdout } = await cli([...path.split(' ').slice(1), '--help']);
    for (const example of examplesIn(stdout)) {
      for (const [name, ...argv] of wordsOf(example)) {
        assert.equal(name, 'prefixd', example);
        if (argv.includes('--help')) continue;
        const program = await loadProgram(SILENT);
        let ran = '';
        for (const command of everyCommand(program)) {
          if (command.commands.length === 0)
            command.action(() => {
              ran = command.path;
            });
        }
        program.hook('preAction', (_program, command) => {
          if (command instanceof CliCommand) command.checkRequired();
        });
        await program.parseAsync(argv, { from: 'user' });
        assert.notEqual(ran, '', example);
      }
    }
  }
});

test('required options are marked', async () => {
  const { stdout } = await cli(['mitigate', '--help']);
  assert.match(stdout, /^ {2}--ttl <seconds> +seconds until it expires \(required\)$/m);
  assert.match(stdout, /^ {2}--reason <text> +reason for the audit log \(required\)$/m);
  assert.doesNotMatch(stdout, /--port <ports>[^-]*\(required\)/);
});

for (const [argv, says] of [
  [
    ['mitigate'],
    'missing <victim>, --action <action>, --ttl <seconds>, --reason <text>\n(see prefixd mitigate --help)',
  ],
  [
    ['mitigate', '203.0.113.10', '--ttl', '60'],
    'missing --action <action>, --reason <text>\n(see prefixd mitigate --help)',
  ],
  [
    ['withdraw'],
    'missing --reason <text>, and one of <id>, --victim, --customer, --all\n(see prefixd withdraw --help)',
  ],
  [
    ['withdraw', '--reason', 'r'],
    'missing one of <id>, --victim, --customer, --all\n(see prefixd withdraw --help)',
  ],
  [
    ['events', 'send'],
    'missing --victim and --vector, or a file of events ("-" for standard input)\n(see prefixd events send --help)',
  ],
  [['peers', 'enable'], 'missing <neighbor>\n(see prefixd peers enable --help)'],
  [['statsu'], 'unknown command "statsu"; did you mean status?\n(see prefixd --help)'],
  [
    ['peers', 'enabel', 'edge1'],
    'unknown command "enabel"; did you mean enable?\n(see prefixd peers --help)',
  ],
  [['journal', 'verfy', '/x'], 'unknown command "verfy"; did you mean verify?\n(see prefixd journal --help)'],
  [
    ['mitigations', 'xyzzy'],
    'unknown command "xyzzy"; expected one of list, get\n(see prefixd mitigations --help)',
  ],
  [['peers', '--wach'], 'unknown option --wach; did you mean --watch?\n(see prefixd peers list --help)'],
  // The misspelled option is the cause, not that the right one is missing.
  [
    ['withdraw', 'x', '--raeson', 'r'],
    'unknown option --raeson; did you mean --reason?\n(see prefixd withdraw --help)',
  ],
  [
    ['peers', 'list', 'edge1', 'edge2'],
    /^prefixd: too many arguments for 'list'.*\n\(see prefixd peers list --help\)\n$/,
  ],
  [
    ['mitigate', 'x', '--action', 'police', '--rate', 'fast', '--ttl', '1', '--reason', 'r'],
    /^prefixd: invalid rate "fast".*\n\(see prefixd mitigate --help\)\n$/,
  ],
  [['-f', 'xml', 'peers'], /argument 'xml' is invalid\. Allowed choices are table, json\./],
] as const) {
  test(`"prefixd ${argv.join(' ')}" says all that is wrong, and where the help is`, async () => {
    const { code, stdout, stderr } = await cli(argv);
    assert.deepEqual({ code, stdout }, { code: 5, stdout: '' });
    if (typeof says === 'string') assert.equal(stderr, `prefixd: ${says}\n`);
    else assert.match(stderr, says);
  });
}

test('an operator is named by --operator, else SUDO_USER, else USER, else not at all', async () => {
  const { operatorOf } = await import('../../src/cli/command-context.ts');
  const contextWith = (env: Io['env']) => ({
    io: { ...SILENT, env },
    options: { format: 'table' as const },
    color: false,
  });
  assert.equal(operatorOf(contextWith({ SUDO_USER: 'ana', USER: 'root' }), 'bo'), 'bo');
  assert.equal(operatorOf(contextWith({ SUDO_USER: 'ana', USER: 'root' }), undefined), 'ana');
  assert.equal(operatorOf(contextWith({ SUDO_USER: '', USER: 'kim' }), undefined), 'kim');
  for (const argv of [
    ['pause', '--reason', 'r'],
    ['reload'],
    ['peers', 'clear', 'edge1'],
    ['withdraw', 'x', '--reason', 'r'],
  ]) {
    const { code, stderr } = await cli([...argv, '--api', 'http://127.0.0.1:1'], { env: { USER: '' } });
    assert.equal(code, 5);
    assert.match(
      stderr,
      /neither \$SUDO_USER nor \$USER is set: use --operator NAME\n\(see prefixd [a-z ]+ --help\)\n$/,
    );
  }
});
