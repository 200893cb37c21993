/** Implements `pcap FILE`: prints the BGP messages in a capture, one JSON line each. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { CliCommand } from '../command.ts';
import { countWords, errorText } from '../../net/text.ts';
import type { PassedOverCount, Streams } from '../../tools/pcap/reassemble.ts';
import type { CommandContext } from '../command-context.ts';
import { CliError, Exit } from '../command-context.ts';

export function registerPcap(program: CliCommand, contextFor: (command: Command) => CommandContext): void {
  program
    .command('pcap <file>')
    .description('print the BGP messages in a capture file (pcap or pcapng) as JSON lines')
    .details(
      'Finds BGP on any TCP port and inside tunnels. Needs no daemon. docs/captures.md describes the output.',
    )
    .examples('prefixd pcap session.pcapng')
    .action(async (file: string, _options, command: Command) => {
      await printCapture(contextFor(command), file);
    });
}

async function printCapture(context: CommandContext, file: string): Promise<void> {
  const [{ readStreams }, { readConversation }, { messageJson }] = await Promise.all([
    import('../../tools/pcap/reassemble.ts'),
    import('../../tools/conversation/conversation.ts'),
    import('../../tools/conversation/message-json.ts'),
  ]);
  const read = readStreams(await octetsOf(file));
  const { messages, remarks } = readConversation(read.streams);
  for (const message of messages) context.io.stdout.write(`${JSON.stringify(messageJson(message))}\n`);
  for (const remark of [...read.problems, ...unreadRemarks(read.passedOver), ...remarks]) {
    context.io.stderr.write(`prefixd: ${file}: ${remark}\n`);
  }
  if (messages.length === 0)
    throw new CliError(Exit.InvalidInput, `no BGP messages in ${file}: ${contents(read)}`);
}

/** Reports packets that may contain BGP but cannot be read: their kind, number and first packet. */
function unreadRemarks(passedOver: readonly PassedOverCount[]): readonly string[] {
  return passedOver.flatMap(({ other, unread, packets, first }) =>
    unread ? [`${countWords(packets, 'packet')} cannot be read: ${other} (first: packet ${first})`] : [],
  );
}

/** Describes a file without BGP messages. */
function contents({ packets, streams, passedOver }: Streams): string {
  if (packets === 0) return 'it has no readable packets';
  const others = passedOver.map(({ other, packets: count }) => `${count} of ${other}`);
  const passed = passedOver.reduce((sum, one) => sum + one.packets, 0);
  const rest = packets - passed;
  const octets = streams.flatMap(({ chunks }) => chunks).reduce((sum, { bytes }) => sum + bytes.length, 0);
  const tcp = `${rest} of TCP in ${countWords(streams.length, 'direction')} with ${countWords(octets, 'byte')} of data`;
  return `${countWords(packets, 'packet')}: ${[...others, ...(rest > 0 ? [tcp] : [])].join(', ')}`;
}

async function octetsOf(file: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    const why = errorText(error);
    throw new CliError(Exit.InvalidInput, `cannot read ${file}: ${why}`);
  }
}
