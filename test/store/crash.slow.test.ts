/**
 * Kills the daemon under load: acknowledged facts survive, and every restart works. PREFIXD_CRASH_ROUNDS sets the
 * rounds.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Journal } from '../../src/store/journal/journal.ts';
import { verifyJournal } from '../../src/store/journal/verify.ts';
import { openAndRead, temporaryFolder } from './support.ts';

const ROUNDS = Number(process.env.PREFIXD_CRASH_ROUNDS ?? 20);
const CHILD = fileURLToPath(new URL('crash-child.ts', import.meta.url));

/**
 * Lets the child recover and append, kills it after a random time, and returns the last fact that it reported durable.
 */
async function crash(folder: string, expected: number): Promise<number> {
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let durable = expected;
  let recovered: number | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, number] = line.split(' ');
    if (word === 'recovered') {
      recovered = Number(number);
      setTimeout(() => child.kill('SIGKILL'), Math.random() * 150);
    } else {
      durable = Number(number);
    }
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  assert.equal(child.signalCode, 'SIGKILL', `the child ended by itself with ${child.exitCode}`);
  assert.ok(recovered !== undefined && recovered >= expected, `recovered ${recovered} of ${expected} facts`);
  return durable;
}

test(`${ROUNDS} crashes under load: every acknowledged fact is found again`, async (t) => {
  const folder = await temporaryFolder(t);
  let durable = 0;
  for (let round = 0; round < ROUNDS; round++) {
    durable = await crash(folder, durable);
    const report = await verifyJournal(folder);
    assert.equal(report.damage, null, `round ${round}: ${JSON.stringify(report.damage)}`);
    assert.ok(
      report.lastSeq >= durable,
      `round ${round}: ${durable} were acknowledged, ${report.lastSeq} are there`,
    );
  }
  assert.ok(durable > ROUNDS, 'the children appended something');
  const journal = new Journal({ folder });
  const { facts, recovery } = await openAndRead(journal);
  assert.ok((facts.at(-1)?.seq ?? recovery.snapshot?.seq ?? 0) >= durable);
  await journal.close();
});
