import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

/** The page's modules are plain JavaScript for browsers; these are the ones that touch no document. */
interface Format {
  duration(ms: number): string;
  figure(value: number | null, unit: string): string;
  actionText(mitigation: object): string;
  attack(event: { vector: string; bps: number | null; pps: number | null }): string;
  historyLines(mitigation: object, timeOf: (at: string) => string): readonly string[];
  mitigationStatus(mitigation: object): { text: string; kind: string };
  peerKind(peer: { state: string; enabled: boolean }): string;
  startText(health: { problems: readonly string[] }): string;
  personText(me: object): string;
  signInText(code: string): string;
  popState(pop: { state: string; accepted: boolean }): { text: string; kind: string };
  lagText(pop: { lag_seconds: number | null }): string;
  unconfirmedLines(requests: readonly object[]): readonly string[];
  disabledText(peer: { disabled: { by: string; reason: string } | null }): string;
}
interface FeedParser {
  createFeedParser(onMessage: (message: Record<string, string>) => void): (text: string) => void;
}
const moduleAt = (name: string): string => new URL(`../../src/dashboard/${name}`, import.meta.url).href;
const format: Format = await import(moduleAt('format.js'));
const { createFeedParser }: FeedParser = await import(moduleAt('feed-parser.js'));

describe('who is signed in', () => {
  const none = { customers: null, pops: null, actions: null };

  it('is shown with role and limits, and not at all where everybody is anonymous', () => {
    const alice = { name: 'alice', role: 'operator', issuer: 'local', scope: null };
    assert.equal(format.personText(alice), 'alice (operator)');
    const scope = { ...none, customers: ['acme', 'globex'], actions: [] };
    assert.equal(
      format.personText({ ...alice, scope }),
      'alice (operator), limited to customers acme, globex, limited to actions (none)',
    );
    assert.equal(format.personText({ name: 'anonymous', role: 'admin', issuer: null, scope: null }), '');
    // A token, and a person who really has that name.
    assert.equal(
      format.personText({ name: 'noc', role: 'viewer', issuer: null, scope: null }),
      'noc (viewer)',
    );
    assert.equal(
      format.personText({ name: 'anonymous', role: 'viewer', issuer: 'local', scope: null }),
      'anonymous (viewer)',
    );
  });

  it('is nobody for a reason, whatever stands in the address', () => {
    assert.equal(format.signInText(''), '');
    assert.match(format.signInText('no_role'), /no role/);
    assert.equal(format.signInText('constructor'), 'Nobody is signed in. Try again.');
  });
});

describe('the figures of the dashboard', () => {
  it('tells how far a daemon is that starts', () => {
    const problems = ['1,200 of about 3,000 facts of the journal are read'];
    assert.equal(format.startText({ problems }), `Starting: ${problems[0]}`);
  });

  it('tells how POPs are, and what they have not confirmed', () => {
    assert.deepEqual(format.popState({ state: 'up', accepted: true }), { text: 'up', kind: 'good' });
    assert.deepEqual(format.popState({ state: 'silent', accepted: true }), { text: 'silent', kind: 'bad' });
    assert.equal(format.popState({ state: 'up', accepted: false }).text, 'up, not accepted');
    assert.equal(format.lagText({ lag_seconds: 0.42 }), '0.4 s');
    assert.equal(format.lagText({ lag_seconds: 306 }), '5 min 06 s');
    assert.equal(format.lagText({ lag_seconds: null }), '');
    const confirmations = [
      { pop: 'ber', state: 'done', detail: '' },
      { pop: 'fra', state: 'unconfirmed', detail: 'it has not answered yet' },
    ];
    assert.deepEqual(format.unconfirmedLines([{ request: 'pause', operator: 'kim', confirmations }]), [
      'pause by kim: fra unconfirmed (it has not answered yet)',
    ]);
  });

  it('tells who keeps a session down', () => {
    const kim = { by: 'kim', reason: 'line card' };
    assert.equal(format.disabledText({ disabled: kim }), 'disabled by kim: line card');
    assert.equal(format.disabledText({ disabled: { ...kim, reason: '' } }), 'disabled by kim');
    assert.equal(format.disabledText({ disabled: null }), 'disabled in the configuration');
  });

  it('tells the life of a mitigation, each reason once, and what is left out where it was', () => {
    const entry = (at: string, text: string, ...why: readonly string[]) => ({ at, text, why });
    const history = [entry('1', 'created', 'acme', 'playbook udp'), entry('3', 'extended', 'acme', 'waits')];
    const lines = (text: string) =>
      format.historyLines({ history, history_omitted: { text } }, (at) => `at ${at}`);
    const [first, ...rest] = ['at 1 created', 'acme', 'playbook udp', 'at 3 extended', 'waits'];
    assert.deepEqual(lines(''), [first, ...rest]);
    assert.deepEqual(lines('9 reports'), [
      first,
      'acme',
      'playbook udp',
      '9 reports',
      'at 3 extended',
      'waits',
    ]);
  });

  it('tells how long in the two largest units', () => {
    for (const [ms, text] of [
      [-5_000, '0 s'],
      [59_999, '59 s'],
      [60_000, '1 min 00 s'],
      [125_000, '2 min 05 s'],
      [3_600_000, '1 h 0 min'],
      [90_000_000, '1 d 1 h'],
    ] as const) {
      assert.equal(format.duration(ms), text);
    }
  });

  it('writes figures with three digits and the unit that fits', () => {
    assert.equal(format.figure(1_234_567_890, 'bit/s'), '1.23 Gbit/s');
    assert.equal(format.figure(999, 'pps'), '999 pps');
    assert.equal(format.figure(null, 'pps'), '');
    assert.equal(format.attack({ vector: 'udp_flood', bps: 1e9, pps: null }), 'udp_flood, 1 Gbit/s');
  });

  it('tells an action with where its traffic goes', () => {
    const fra = { action_type: 'redirect', rate_bps: null, scrubber: 'fra', redirect_copy: false };
    for (const [mitigation, text] of [
      [{ action_type: 'police', rate_bps: 5e6, scrubber: null }, 'Police at 5 Mbit/s'],
      // A daemon of 0.1 has no scrubbers.
      [{ action_type: 'discard', rate_bps: null }, 'Discard'],
      [fra, 'Redirect to fra'],
      [{ ...fra, redirect_copy: true, rate_bps: 1e9 }, 'Copy to fra at 1 Gbit/s'],
      [{ ...fra, scrubber: null, redirect_vrf: '65010:666' }, 'Redirect to VRF 65010:666'],
      [{ ...fra, scrubber: null, redirect_vrf: null, redirect_ip: '192.0.2.9' }, 'Redirect to 192.0.2.9'],
      [{ ...fra, action_type: 'divert' }, 'Divert to fra'],
      [{ action_type: 'blackhole', rate_bps: null, scrubber: null, redirect_ip: null }, 'Blackhole'],
    ] as const) {
      assert.equal(format.actionText(mitigation), text);
    }
  });

  it('says that a rule is ending, not announced, or not taken by some neighbor', () => {
    const active = { status: 'active', ending: false, dry_run: false, rules: [{ state: 'sent' }] };
    assert.deepEqual(format.mitigationStatus(active), { text: 'active', kind: 'good' });
    assert.equal(format.mitigationStatus({ ...active, ending: true }).text, 'ending');
    assert.equal(format.mitigationStatus({ ...active, dry_run: true }).text, 'active (dry run)');
    const refused = { ...active, rules: [{ state: 'sent' }, { state: 'unsupported' }] };
    assert.deepEqual(format.mitigationStatus(refused), { text: 'active, unsupported on 1', kind: 'warn' });
    const full = { ...active, rules: [{ state: 'over_budget' }] };
    assert.deepEqual(format.mitigationStatus(full), { text: 'active, over budget on 1', kind: 'warn' });
  });

  it('does not alarm about a session that somebody has disabled', () => {
    assert.equal(format.peerKind({ state: 'established', enabled: true }), 'good');
    assert.equal(format.peerKind({ state: 'idle', enabled: true }), 'bad');
    assert.equal(format.peerKind({ state: 'idle', enabled: false }), 'quiet');
  });
});

describe('the feed as the dashboard reads it', () => {
  it('puts messages together however the text is cut, and skips heartbeats', () => {
    const stream =
      'retry: 2000\n\n: heartbeat\n\nid: 7\nevent: policy.loaded\ndata: {"seq":7}\n\nid: 8\ndata: x\n\nid: 9\n';
    for (const size of [1, 5, stream.length]) {
      const messages: Record<string, string>[] = [];
      const parse = createFeedParser((message) => messages.push(message));
      for (let at = 0; at < stream.length; at += size) parse(stream.slice(at, at + size));
      assert.deepEqual(messages, [
        { id: '7', event: 'policy.loaded', data: '{"seq":7}' },
        { id: '8', data: 'x' },
      ]);
    }
  });
});
