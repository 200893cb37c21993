/** `pcap FILE`: the BGP in a capture, a line of JSON a message. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Context } from './context.ts';
import { CliError, Exit } from './context.ts';

export function registerPcap(program: Command, contextFor: (command: Command) => Context): void {
  program
    .command('pcap <file>')
    .description('read the BGP messages in a capture (pcap or pcapng): a line of JSON each')
    .action(async (file: string, _options, command: Command) => {
      await printCapture(contextFor(command), file);
    });
}

async function printCapture(context: Context, file: string): Promise<void> {
  const [{ readStreams }, { readConversation }, { messageJson }] = await Promise.all([
    import('../pcap/reassemble.ts'),
    import('./bgp-conversation.ts'),
    import('./bgp-json.ts'),
  ]);
  const { streams, problems } = readStreams(await octetsOf(file));
  const { messages, remarks } = readConversation(streams);
  for (const message of messages) context.io.stdout.write(`${JSON.stringify(messageJson(message))}\n`);
  for (const remark of [...problems, ...remarks]) context.io.stderr.write(`prefixd: ${file}: ${remark}\n`);
  if (messages.length === 0) throw new CliError(Exit.InvalidInput, `${file} holds no BGP message`);
}

async function octetsOf(file: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(Exit.InvalidInput, `${file} cannot be read: ${why}`);
  }
}
