/** Implements `init DIR`: writes a first configuration folder and prints the router's configuration. */
import type { Command } from 'commander';
import type { CliCommand } from '../command.ts';
import type { CommandContext } from '../command-context.ts';
import type { InitOptions } from '../init-answers.ts';

/** Collects the values of an option that may be repeated, each with one or more comma-separated values. */
function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(',').map((part) => part.trim())].filter((part) => part !== '');
}

export function registerInit(program: CliCommand, contextFor: (command: Command) => CommandContext): void {
  program
    .command('init <dir>')
    .description("write a first configuration folder, and print the router's configuration")
    .details(
      'At a terminal, asks for every missing value. Never overwrites a file.',
      'Leaves out playbook steps that the router platform cannot enforce.',
    )
    .option('--asn <number>', 'AS number of prefixd (required)')
    .option('--router-id <address>', 'BGP identifier of prefixd, usually its IPv4 address (required)')
    .option('--neighbor <name>', 'name of the first router (default: edge1)')
    .option('--address <address>', 'address of that router (required)')
    .option('--peer-asn <number>', 'AS number of that router (required)')
    .option(
      '--platform <platform>',
      'router platform: juniper, cisco-xr, arista, nokia, huawei, frr, bird, gobgp, or generic (required)',
    )
    .option('--port <number>', 'TCP port on which that router accepts BGP (default: 179)')
    .option(
      '--local-address <address>',
      'address from which prefixd connects (default: the router id; required for an IPv6 router)',
    )
    .option('--customer <id>', 'name of the first customer, whose addresses are protected (required)')
    .option('--prefix <prefix>', 'prefix of that customer; may be repeated (required)', collect)
    .option('--listen <address:port>', 'address of the API (default: 127.0.0.1:8080)')
    .option('-y, --yes', 'ask no questions; a missing required option is an error')
    .examples(
      'prefixd init ./config',
      'prefixd init ./config --asn 65010 --router-id 192.0.2.10 --address 192.0.2.1 --peer-asn 65001 --platform juniper --customer acme --prefix 203.0.113.0/24,2001:db8:acd::/48',
    )
    .action(async (dir: string, options: InitOptions, command: Command) => {
      const { initFolder } = await import('../init-folder.ts');
      await initFolder(contextFor(command), dir, options);
    });
}
