import assert from 'node:assert/strict';
import { appendFile, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { Fact, RecordedFact } from '../../src/core/facts.ts';
import { initialState } from '../../src/core/state/state.ts';
import type { Actor, EventRecord, Mitigation } from '../../src/core/types.ts';
import { AuditLog, type AuditLogOptions } from '../../src/store/audit/audit.ts';
import type { AuditFilesOptions } from '../../src/store/audit/audit-storage.ts';
import { AuditTrail, entryOfAction } from '../../src/store/audit/audit-entry.ts';
import { FailingFiles, fact, facts, linesOf, names, systemError, temporaryFolder } from './support.ts';

const DETECTOR: Actor = { kind: 'detector', name: 'fnm', address: '192.0.2.7', requestId: 'req-1' };
const OPERATOR: Actor = { kind: 'operator', name: 'ada', address: '192.0.2.9', requestId: 'req-2' };
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

const MITIGATION: Mitigation = {
  id: 'm1',
  status: 'active',
  ending: null,
  customerId: 'c1',
  serviceId: null,
  pop: 'iad1',
  victim: '203.0.113.10',
  vector: 'udp_flood',
  match: { dstPrefix: '203.0.113.10/32', protocol: 17, dstPorts: [[53, 53]], srcPorts: [] },
  ports: [53],
  excludedPorts: [],
  action: { type: 'police', rateBps: 10_000_000 },
  playbook: 'udp',
  step: 0,
  stepSince: NOW,
  createdAt: NOW,
  updatedAt: NOW,
  expiresAt: NOW + 120_000,
  endedAt: null,
  triggeringEventId: 'e1',
  lastEventId: 'e1',
  createdBy: DETECTOR,
  dryRun: false,
  reason: 'playbook udp',
  why: ['customer c1'],
};

const EVENT: EventRecord = {
  id: 'e2',
  receivedAt: NOW,
  detection: {
    externalId: 'x',
    source: 'fnm',
    action: 'ban',
    victim: '203.0.113.10',
    vector: 'udp_flood',
    protocol: 17,
    bps: 1,
    pps: 2,
    confidence: 0.9,
    ports: [53],
    at: null,
    details: { password: 'hunter2' },
  },
  actor: DETECTOR,
  status: 'escalated',
  refusal: null,
  mitigationId: 'm1',
  why: ['step 1'],
};

function record(seq: number, of: Fact): RecordedFact {
  return { seq, at: NOW + seq, fact: of };
}

async function log(
  t: TestContext,
  options: Partial<AuditLogOptions & AuditFilesOptions> = {},
): Promise<{ log: AuditLog; path: string; folder: string; errors: string[] }> {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'audit.jsonl');
  const errors: string[] = [];
  const opened = await AuditLog.open({
    path,
    clock: () => NOW,
    onError: (error) => errors.push(error.message),
    ...options,
  });
  return { log: opened, path, folder, errors };
}

describe('Entries of the audit', () => {
  test("a mitigation's life: who, what, why, before and after", () => {
    const trail = new AuditTrail();
    const created = trail.entryOf(record(1, { type: 'mitigation.created', mitigation: MITIGATION }));
    assert.deepEqual(created.actor, {
      kind: 'detector',
      name: 'fnm',
      address: '192.0.2.7',
      request_id: 'req-1',
      via: null,
    });
    assert.deepEqual(
      [created.seq, created.time, created.target],
      [1, '2026-01-02T03:04:05.001Z', { type: 'mitigation', id: 'm1' }],
    );
    assert.equal(created.before, null);
    assert.equal(created.after?.action_type, 'police');
    trail.entryOf(record(2, { type: 'event.received', event: EVENT }));
    const escalated = trail.entryOf(
      record(3, {
        type: 'mitigation.escalated',
        id: 'm1',
        change: {
          action: { type: 'discard', rateBps: null },
          step: 1,
          lastEventId: 'e2',
          why: ['longer than 60 s'],
        },
      }),
    );
    assert.equal(escalated.actor.request_id, 'req-1', 'the one whose event it was');
    assert.deepEqual(escalated.why, ['longer than 60 s']);
    assert.deepEqual(escalated.before, {
      status: 'active',
      action_type: 'police',
      rate_bps: 10_000_000,
      scrubber: null,
      redirect_vrf: null,
      redirect_ip: null,
      redirect_copy: false,
      step: 0,
      last_event_id: 'e1',
    });
    assert.deepEqual(escalated.after, {
      status: 'escalated',
      action_type: 'discard',
      rate_bps: null,
      scrubber: null,
      redirect_vrf: null,
      redirect_ip: null,
      redirect_copy: false,
      step: 1,
      last_event_id: 'e2',
    });
    const ending = trail.entryOf(
      record(4, {
        type: 'mitigation.ending',
        id: 'm1',
        ending: { to: 'withdrawn', at: NOW, actor: OPERATOR, reason: 'false alarm' },
      }),
    );
    assert.deepEqual([ending.actor.name, ending.reason], ['ada', 'false alarm']);
    assert.deepEqual(ending.before, { status: 'escalated', expires_at: '2026-01-02T03:06:05.000Z' });
    const withdrawn = trail.entryOf(record(5, { type: 'mitigation.withdrawn', id: 'm1' }));
    assert.deepEqual(
      [withdrawn.actor.name, withdrawn.before, withdrawn.after],
      ['ada', { status: 'escalated' }, { status: 'withdrawn' }],
    );
  });

  test('what was live before the log began is known by its last values', () => {
    const trail = new AuditTrail([MITIGATION]);
    const entry = trail.entryOf(
      record(9, { type: 'mitigation.extended', id: 'm1', change: { expiresAt: NOW + 240_000 } }),
    );
    assert.deepEqual(entry.before, { expires_at: '2026-01-02T03:06:05.000Z' });
    assert.deepEqual(entry.after, { expires_at: '2026-01-02T03:08:05.000Z' });
    const unknown = new AuditTrail().entryOf(
      record(9, { type: 'mitigation.extended', id: 'm1', change: { expiresAt: NOW } }),
    );
    assert.equal(unknown.before, null);
  });

  test("an event is recorded with its decision, and without the detector's own details", () => {
    const entry = new AuditTrail().entryOf(record(1, { type: 'event.received', event: EVENT }));
    assert.equal(entry.after?.status, 'escalated');
    assert.equal(entry.after?.mitigation_id, 'm1');
    assert.ok(!JSON.stringify(entry).includes('hunter2'));
    const refused = { ...EVENT, status: 'rejected', refusal: 'safelisted' } as const;
    assert.equal(
      new AuditTrail().entryOf(record(1, { type: 'event.received', event: refused })).reason,
      'safelisted',
    );
  });

  test('the name that an operator gave is recorded with the name of the token', () => {
    const actor: Actor = { kind: 'operator', name: 'ada', via: 'night-shift' };
    const paused = new AuditTrail().entryOf(record(1, { type: 'control.paused', actor, reason: 'ours' }));
    const cleared = entryOfAction({ type: 'peer.cleared', at: NOW, actor, target: 'edge1', reason: 'ours' });
    for (const entry of [paused, cleared]) {
      assert.deepEqual(entry.actor, {
        kind: 'operator',
        name: 'ada',
        via: 'night-shift',
        address: null,
        request_id: null,
      });
    }
  });

  test("operators' actions name the operator", () => {
    const trail = new AuditTrail();
    const entry = {
      prefix: '10.0.0.0/8',
      reason: 'ours',
      addedAt: NOW,
      addedBy: OPERATOR,
      configured: false,
    };
    for (const [of, target, reason] of [
      [{ type: 'safelist.added', entry }, { type: 'safelist', id: '10.0.0.0/8' }, 'ours'],
      [
        { type: 'safelist.removed', prefix: '10.0.0.0/8', actor: OPERATOR },
        { type: 'safelist', id: '10.0.0.0/8' },
        null,
      ],
      [
        { type: 'control.paused', actor: OPERATOR, reason: 'maintenance' },
        { type: 'control', id: 'announcements' },
        'maintenance',
      ],
      [
        { type: 'peer.disabled', peer: 'edge1', actor: OPERATOR, reason: 'line card' },
        { type: 'peer', id: 'edge1' },
        'line card',
      ],
      [
        { type: 'peer.enabled', peer: 'edge1', actor: OPERATOR, reason: '' },
        { type: 'peer', id: 'edge1' },
        '',
      ],
      [
        { type: 'policy.loaded', actor: OPERATOR, summary: '2 playbooks' },
        { type: 'policy', id: 'configuration' },
        '2 playbooks',
      ],
    ] as const) {
      const made = trail.entryOf(record(1, of));
      assert.deepEqual(
        [made.action, made.actor.name, made.target, made.reason],
        [of.type, 'ada', target, reason],
      );
    }
    const action = entryOfAction({
      type: 'peer.cleared',
      at: NOW,
      actor: OPERATOR,
      target: 'edge1',
      reason: 'x',
    });
    assert.deepEqual(
      [action.seq, action.target, action.time],
      [null, { type: 'peer', id: 'edge1' }, '2026-01-02T03:04:05.000Z'],
    );
  });
});

describe('The audit log', () => {
  test('is one JSON line an entry, for the owner alone, and gives the newest first', async (t) => {
    const { log: audit, path, errors } = await log(t);
    audit.record(facts(1, 3));
    audit.recordAction({ type: 'peer.cleared', at: NOW, actor: OPERATOR, target: 'edge1', reason: 'a\nb' });
    assert.deepEqual(
      (await audit.newest(2)).map((e) => e.action),
      ['peer.cleared', 'control.paused'],
    );
    assert.deepEqual(
      (await audit.newest(9)).map((e) => e.seq),
      [null, 3, 2, 1],
    );
    await audit.close();
    assert.equal((await linesOf(path)).length, 4);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(errors, []);
  });

  test('continues after a restart without repeating a fact', async (t) => {
    const { log: audit, path } = await log(t);
    audit.record(facts(1, 3));
    audit.recordAction({ type: 'peer.cleared', at: NOW, actor: OPERATOR, target: 'edge1', reason: '' });
    await audit.close();
    await appendFile(path, '{"v":1,"torn');
    const again = await AuditLog.open({ path, clock: () => NOW, onError: () => undefined });
    assert.equal(again.lastSeq, 3);
    again.record(facts(1, 5));
    assert.deepEqual(
      (await again.newest(9)).map((e) => e.seq),
      [5, 4, null, 3, 2, 1],
    );
    await again.close();
  });

  test('after a restart it knows its last fact behind any number of actions, in whichever file', async (t) => {
    const clear = { type: 'peer.cleared', at: NOW, actor: OPERATOR, target: 'edge1', reason: '' } as const;
    for (const maxOctets of [1 << 20, 20_000]) {
      const { log: audit, path } = await log(t, { maxOctets });
      audit.record(facts(1, 3));
      for (let i = 0; i < 150; i++) {
        audit.recordAction(clear);
        await audit.flush();
      }
      await audit.close();
      const again = await AuditLog.open({ path, clock: () => NOW, onError: () => undefined });
      assert.equal(again.lastSeq, 3);
      await again.close();
    }
  });

  test('is rotated by size; old files are kept up to a number, and are read from', async (t) => {
    let now = NOW;
    const { log: audit, path, folder } = await log(t, { maxOctets: 1_000, keep: 2, clock: () => ++now });
    for (const one of facts(1, 20)) {
      audit.record([one]);
      await audit.newest(1);
    }
    const files = await names(folder);
    assert.equal(files.length, 3);
    assert.match(files[1] ?? '', /^audit\.jsonl\.2026-01-02T03-04-05\.\d{3}Z$/);
    for (const name of files) assert.ok((await stat(join(folder, name))).size <= 1_000);
    const seqs = (await audit.newest(100)).map((e) => e.seq);
    assert.deepEqual(
      seqs,
      Array.from({ length: seqs.length }, (_, i) => 20 - i),
    );
    assert.ok(seqs.length > (await linesOf(path)).length);
    await audit.close();
  });

  test('keeps its files in their order when the clock was set back before a start', async (t) => {
    const { log: first, path, folder } = await log(t, { maxOctets: 1_000, keep: 2 });
    const fill = async (audit: AuditLog, from: number, to: number): Promise<void> => {
      for (const one of facts(from, to)) {
        audit.record([one]);
        await audit.flush();
      }
      await audit.close();
    };
    await fill(first, 1, 20);
    const options = { path, maxOctets: 1_000, keep: 2, onError: () => undefined };
    await fill(await AuditLog.open({ ...options, clock: () => NOW - 86_400_000 }), 21, 40);
    const again = await AuditLog.open({ ...options, clock: () => NOW });
    const seqs = (await again.newest(100)).map((e) => e.seq);
    assert.ok(seqs.length > (await linesOf(path)).length);
    assert.deepEqual(
      seqs,
      Array.from({ length: seqs.length }, (_, i) => 40 - i),
    );
    assert.equal((await names(folder)).length, 3);
    await again.close();
  });

  test('a failing disk is reported, delays nothing, and loses nothing once it works again', async (t) => {
    const files = new FailingFiles();
    const { log: audit, errors } = await log(t, { files });
    files.fault = (step) => {
      if (step === 'write') throw systemError('ENOSPC');
      return undefined;
    };
    audit.record([fact(1)]);
    await audit.newest(1);
    audit.record([fact(2)]);
    await audit.newest(1);
    assert.equal(errors.length, 2);
    assert.match(errors[0] ?? '', /no space left on the device/);
    assert.deepEqual(audit.backlog, { waiting: 2, dropped: 0 });
    files.fault = () => undefined;
    audit.record([fact(3)]);
    assert.deepEqual(
      (await audit.newest(9)).map((e) => e.seq),
      [3, 2, 1],
    );
    await audit.close();
  });

  test('while the disk fails it keeps a bounded number of entries, and says how many are missing', async (t) => {
    const files = new FailingFiles();
    const { log: audit } = await log(t, { files, maxWaiting: 5 });
    files.fault = (step) => {
      if (step === 'write') throw systemError('EIO');
      return undefined;
    };
    for (const one of facts(1, 12)) {
      audit.record([one]);
      await audit.newest(1);
    }
    assert.deepEqual(audit.backlog, { waiting: 5, dropped: 7 });
    files.fault = () => undefined;
    audit.record([fact(13)]);
    const entries = await audit.newest(20);
    assert.deepEqual(
      entries.map((e) => e.seq),
      [13, 12, 11, 10, 9, null],
    );
    assert.match(entries.at(-1)?.reason ?? '', /^8 entries before this one could not be written/);
    await audit.close();
  });

  test('after a write that failed on the device it continues in a new file', async (t) => {
    const files = new FailingFiles();
    const { log: audit, folder } = await log(t, { files });
    audit.record([fact(1)]);
    await audit.newest(1);
    let failures = 1;
    files.fault = (step) => {
      if (step === 'write' && failures-- > 0) throw systemError('EIO');
      return undefined;
    };
    audit.record([fact(2)]);
    await audit.newest(1);
    audit.record([fact(3)]);
    assert.deepEqual(
      (await audit.newest(9)).map((e) => e.seq),
      [3, 2, 1],
    );
    assert.equal((await names(folder)).length, 2);
    await audit.close();
  });

  test('a line that was changed is shown as damaged, not hidden', async (t) => {
    const { log: audit, path } = await log(t);
    audit.record([fact(1)]);
    await audit.newest(1);
    await audit.close();
    await appendFile(path, 'not json\n');
    const again = await AuditLog.open({ path, clock: () => NOW, onError: () => undefined });
    assert.deepEqual(
      (await again.newest(9)).map((e) => [e.action, e.seq]),
      [
        ['audit.damaged', null],
        ['control.paused', 1],
      ],
    );
    await again.close();
    assert.match(await readFile(path, 'utf8'), /not json\n$/);
  });

  test('entries of facts gather, an action does not wait and takes along what has gathered', async (t) => {
    let gathered: (() => void)[] = [];
    const gather = (write: () => void): (() => void) => {
      gathered.push(write);
      return () => {
        gathered = gathered.filter((one) => one !== write);
      };
    };
    const { log: audit, path } = await log(t, { gather });
    audit.record(facts(1, 2));
    audit.record(facts(3, 3));
    assert.equal(gathered.length, 1);
    assert.equal(audit.backlog.waiting, 3);
    gathered.pop()?.();
    assert.equal((await audit.newest(9)).length, 3);
    audit.record(facts(4, 4));
    audit.recordAction({ type: 'peer.cleared', at: NOW, actor: OPERATOR, target: 'edge1', reason: '' });
    assert.equal(gathered.length, 0, 'nothing waits any longer');
    assert.deepEqual(
      (await audit.newest(2)).map((e) => e.seq),
      [null, 4],
    );
    audit.record(facts(5, 5));
    assert.equal((await audit.newest(1))[0]?.seq, 5, 'a reader sees what has gathered');
    audit.record(facts(6, 6));
    await audit.close();
    assert.deepEqual([(await linesOf(path)).length, gathered.length], [7, 0]);
  });

  test('what comes while a group is written gathers again, unless it is much', async (t) => {
    const gathered: (() => void)[] = [];
    const { log: audit } = await log(t, {
      gather: (write) => {
        gathered.push(write);
        return () => undefined;
      },
    });
    audit.record(facts(1, 1));
    gathered.pop()?.();
    while (audit.backlog.waiting > 0) await Promise.resolve();
    audit.record(facts(2, 2));
    while (audit.backlog.waiting > 0 && gathered.length === 0) await new Promise((r) => setImmediate(r));
    assert.deepEqual([audit.backlog.waiting, gathered.length], [1, 1]);
    audit.record(facts(3, 1002));
    while (audit.backlog.waiting > 0) await new Promise((r) => setImmediate(r));
    await audit.close();
  });

  test('a close writes what still waits', async (t) => {
    const { log: audit, path } = await log(t);
    audit.record(facts(1, 50));
    await audit.close();
    assert.equal((await linesOf(path)).length, 50);
  });

  test('a path that cannot be written is refused at the start', async (t) => {
    const { path } = await log(t);
    await assert.rejects(
      AuditLog.open({ path: join(path, 'below'), clock: () => NOW, onError: () => undefined }),
      /cannot open the audit log .*below/,
    );
  });

  test('what a crash kept from it is filled in by the replay, as it would have been written', async (t) => {
    const life: readonly RecordedFact[] = [
      record(1, { type: 'mitigation.created', mitigation: MITIGATION }),
      record(2, { type: 'event.received', event: EVENT }),
      record(3, { type: 'mitigation.extended', id: 'm1', change: { expiresAt: NOW + 1, lastEventId: 'e2' } }),
      record(4, {
        type: 'mitigation.ending',
        id: 'm1',
        ending: { to: 'withdrawn', actor: OPERATOR, at: NOW, reason: 'false positive' },
      }),
      record(5, { type: 'mitigation.withdrawn', id: 'm1' }),
    ];
    const { log: whole } = await log(t);
    whole.record(life);
    const { log: cut, path } = await log(t);
    cut.record(life.slice(0, 2));
    await cut.close();
    const again = await AuditLog.open({ path, clock: () => NOW, onError: () => {} });
    const state = initialState();
    for (const one of life) {
      again.catchUp(state, one);
      state.apply(one);
    }
    assert.equal(again.begin(state), 0);
    assert.deepEqual(await again.newest(9), await whole.newest(9));
    await Promise.all([whole.close(), again.close()]);
  });

  test('it says how many facts it lacks that the replay did not hold', async (t) => {
    const { log: before, path } = await log(t);
    before.record(facts(1, 3));
    await before.close();
    const again = await AuditLog.open({ path, clock: () => NOW, onError: () => {} });
    const state = initialState();
    for (const one of facts(1, 6)) {
      // A snapshot contains facts 4 and 5, so the replay begins after them.
      if (one.seq > 5) again.catchUp(state, one);
      state.apply(one);
    }
    assert.equal(again.begin(state), 2);
    assert.deepEqual(
      (await again.newest(9)).map((e) => e.seq),
      [6, 3, 2, 1],
    );
    await again.close();
  });

  test('a flush writes what has gathered', async (t) => {
    const { log: audit, path } = await log(t, { gather: () => () => undefined });
    audit.record(facts(1, 2));
    await audit.flush();
    assert.equal((await linesOf(path)).length, 2);
    await audit.flush();
    await audit.close();
  });

  test('a log that counts beyond the newest fact followed another journal, and does not pass over this one', async (t) => {
    const { log: before, path } = await log(t);
    before.record(facts(1, 5));
    await before.close();
    const after = await AuditLog.open({ path, clock: () => NOW, onError: () => {} });
    const state = initialState();
    for (const one of facts(1, 2)) {
      after.catchUp(state, one);
      state.apply(one);
    }
    assert.deepEqual([after.begin(state), after.lastSeq], [0, 2]);
    after.record(facts(3, 3));
    assert.equal((await after.newest(10)).length, 6);
    await after.close();
  });

  test('a log that holds the newest fact of the journal and later ones has outlived it; one of another journal has not', async (t) => {
    const { log: before, path } = await log(t);
    before.record(facts(1, 5));
    await before.close();
    const after = await AuditLog.open({ path, clock: () => NOW, onError: () => {} });
    assert.equal(await after.outlived(3, fact(3).at), true);
    assert.equal(await after.outlived(3, fact(3).at + 1), false, 'the third fact of another journal');
    assert.equal(await after.outlived(5, fact(5).at), false, 'both end here');
    assert.equal(await after.outlived(9, fact(9).at), false, 'the journal has more');
    assert.equal(await after.outlived(0, 0), false, 'a new journal');
    await after.close();
  });
});
