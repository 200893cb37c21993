/** A real daemon on a disk that hangs or is full: it withdraws rules, loses nothing acknowledged, and stops in time. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { findProgram, until } from '../support/children.ts';
import { undo } from '../support/undo.ts';
import { House } from './house.ts';

describe('a disk that hangs', { timeout: 300_000 }, () => {
  it('keeps no rule beyond its TTL, nor one that an operator withdraws, and health says so', async (t) => {
    const house = await House.build(t, { drainSeconds: 10 });
    undo(t, () => house.signal('SIGKILL'));
    await house.run();
    const kept = await house.report(10);
    await house.report(11, 'icmp_flood');
    await until('both rules', () => house.rules.length === 2);
    await house.hang('journal-');
    const lost = house.report(12);
    await until('the TTL takes the brief rule away', () => house.rules.join() === '10');
    assert.ok((await house.reasons()).includes('journal_stalled'));
    const unknown = await lost;
    assert.deepEqual([unknown.status, unknown.retryAfter], [503, '5']);
    assert.match(String(unknown.body.detail), /not known yet/);
    assert.match(String((await house.report(13)).body.detail), /nothing was changed/);

    const withdrawn = await house.withdraw(kept.body.mitigation_id);
    assert.equal(withdrawn.status, 200);
    assert.equal(withdrawn.body.recorded, false);
    assert.match(String(withdrawn.body.warning), /not recorded yet/);
    await until('the rule goes', () => house.rules.length === 0);
    assert.ok((await house.reasons()).includes('unrecorded'));

    await house.release();
    await until('what was in the write is announced', () => house.rules.join() === '12');
    await until('all is well', async () => (await house.reasons()).length === 0);
    await house.signal('SIGKILL');
    await house.run();
    await until('the rules come back', () => house.rules.length > 0);
    assert.deepEqual(house.rules, ['12'], 'what was withdrawn was recorded when the disk came back');
  });

  it('does not keep the daemon from ending in time, and takes the rules along that would come back', async (t) => {
    const house = await House.build(t, { drainSeconds: 4 });
    undo(t, () => house.signal('SIGKILL'));
    await house.run();
    const { body } = await house.report(10);
    await house.report(11);
    await until('the rules', () => house.rules.length === 2);
    await house.hang('journal-', 'audit', 'snapshot-');
    assert.equal((await house.withdraw(body.mitigation_id)).body.recorded, false);
    await until('the rule goes', () => house.rules.join() === '11');
    await house.signal('SIGTERM');
    assert.match(house.log(), /stopped without waiting for what hangs/);
    assert.match(house.log(), /could not be recorded; repeat it after the next start/);
    await until('nothing is preserved', () => house.rules.length === 0);
  });
});

it('a standard output that nobody reads does not keep the daemon from ending', {
  timeout: 60_000,
}, async (t) => {
  const house = await House.build(t, { drainSeconds: 4 });
  const [program, ...words] = house.command;
  const child = spawn(program, words, {
    env: { ...process.env, ...house.environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  undo(t, () => child.kill('SIGKILL'));
  await house.isUp();
  // Each event makes log lines that nobody reads; the pipe holds 64 KiB of them.
  const events = Array.from({ length: 200 }, (_, host) => ({
    source: 'test',
    victim_ip: `203.0.113.${host}`,
    vector: 'udp_flood',
    confidence: 0.9,
  }));
  assert.equal((await house.call('POST', '/v1/events/batch', events)).status, 207);
  child.kill('SIGTERM');
  await gone;
});

const noTmpfs =
  findProgram('mount') === undefined || (process.getuid?.() !== 0 && process.env.CI !== 'true')
    ? 'a small disk needs root; Debian package: mount'
    : false;

it('an operator withdraws on a full disk', { timeout: 120_000, skip: noTmpfs }, async (t) => {
  const house = await House.build(t, { drainSeconds: 10 });
  const data = join(house.folder, 'data');
  await mkdir(data);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0700', 'tmpfs', data]);
  undo(t, () => execFileSync('umount', ['--lazy', data]));
  undo(t, () => house.signal('SIGKILL'));
  await house.run();
  const { body } = await house.report(10);
  await until('the rule', () => house.rules.length === 1);
  const ballast = join(data, 'ballast');
  await writeFile(ballast, Buffer.alloc(2 << 20)).catch(() => undefined);
  await until('reports are refused', async () => (await house.report(20)).status === 503);
  // A page's remaining bytes may still hold a shorter record.
  await until('nothing fits', async () => (await house.call('POST', '/v1/peers/lab/enable')).status === 503);

  const withdrawn = await house.withdraw(body.mitigation_id);
  assert.deepEqual([withdrawn.status, withdrawn.body.recorded], [200, false]);
  await until('the rule goes', () => !house.rules.includes('10'));
  assert.deepEqual((await house.reasons()).filter((code) => code !== 'audit').sort(), [
    'journal',
    'unrecorded',
  ]);
  await rm(ballast);
  await until('it is recorded', async () => !(await house.reasons()).includes('unrecorded'));
  await house.signal('SIGKILL');
  await house.run();
  assert.ok(!house.rules.includes('10'));
  const { body: after } = await house.call('GET', `/v1/mitigations/${String(body.mitigation_id)}`);
  assert.equal(after.status, 'withdrawn');
});
