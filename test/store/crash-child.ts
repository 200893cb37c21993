/** Appends to the journal in argv[2] under load and prints the durable facts, until it is killed. */
import { writeSync } from 'node:fs';
import { Journal } from '../../src/store/journal/journal.ts';
import { fact, openAndRead } from './support.ts';

/** Writes a line synchronously. A full pipe returns EAGAIN, and then nothing of a short line has been written. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

async function main(): Promise<void> {
  const journal = new Journal({ folder: process.argv[2] ?? '', retention: { segments: 1 } });
  const { facts, recovery } = await openAndRead(journal);
  let seq = facts.at(-1)?.seq ?? recovery.snapshot?.seq ?? 0;
  say(`recovered ${seq}`);
  let acknowledged = seq;
  let sinceSnapshot = 0;
  for (;;) {
    const appends = Array.from({ length: 1 + Math.floor(Math.random() * 8) }, () => {
      const batch = Array.from({ length: 1 + Math.floor(Math.random() * 5) }, () =>
        fact(++seq, 'x'.repeat(Math.floor(Math.random() * 2_000))),
      );
      sinceSnapshot += batch.length;
      return journal.append(batch).then(() => {
        acknowledged = Math.max(acknowledged, batch.at(-1)?.seq ?? 0);
        // Synchronously, because a 202 would also be sent before the next turn.
        say(`durable ${acknowledged}`);
      });
    });
    await Promise.all(appends);
    if (sinceSnapshot > 300) {
      sinceSnapshot = 0;
      await journal.snapshot({
        schema: 1,
        seq,
        data: { facts: Array.from({ length: 500 }, (_, i) => ({ i })) },
      });
    }
  }
}

await main();
