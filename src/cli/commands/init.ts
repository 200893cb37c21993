/** `init DIR`: a first configuration folder, and what to configure on the router. */
import type { Command } from 'commander';
import type { CliCommand } from '../command.ts';
import type { Context } from '../context.ts';
import type { InitOptions } from '../init-answers.ts';

/** Collects an option that may be given several times, with one value or several separated by commas. */
function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(',').map((part) => part.trim())].filter((part) => part !== '');
}

export function registerInit(program: CliCommand, contextFor: (command: Command) => Context): void {
  program
    .command('init <dir>')
    .description('write a first configuration folder, and print what to configure on the router')
    .option('--asn <number>', 'AS number of prefixd (required)')
    .option('--router-id <address>', 'BGP identifier of prefixd, usually its IPv4 address (required)')
    .option('--neighbor <name>', 'name of the first router (default: edge1)')
    .option('--address <address>', 'address of that router (required)')
    .option('--peer-asn <number>', 'AS number of that router (required)')
    .option(
      '--platform <platform>',
      'juniper, cisco-xr, arista, nokia, huawei, frr, bird, gobgp, or generic (required)',
    )
    .option('--port <number>', 'TCP port on which that router accepts BGP (default: 179)')
    .option(
      '--local-address <address>',
      'address from which prefixd connects (default: the router id; required for an IPv6 router)',
    )
    .option('--customer <id>', 'name of the first customer, whose addresses are protected (required)')
    .option('--prefix <prefix>', 'prefix of that customer; may be repeated (required)', collect)
    .option('--listen <address:port>', 'where the API listens (default: 127.0.0.1:8080)')
    .option('-y, --yes', 'ask nothing; a required option that is missing is an error')
    .addHelpText('after', '\nOn a terminal it asks for what is not given. It never overwrites a file.')
    .examples(
      'prefixd init ./config',
      'prefixd init ./config --asn 65010 --router-id 192.0.2.10 --address 192.0.2.1 --peer-asn 65001 --platform juniper --customer acme --prefix 203.0.113.0/24,2001:db8:acd::/48',
    )
    .action(async (dir: string, options: InitOptions, command: Command) => {
      const { initFolder } = await import('../init-folder.ts');
      await initFolder(contextFor(command), dir, options);
    });
}
