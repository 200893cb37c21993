/** From end to end: a report at one POP becomes a rule in the routers of both, and a command ends it at both. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { output, until } from '../support/children.ts';
import { PopLab } from '../support/pop-lab.ts';
import { missingPostgres } from '../support/postgres-server.ts';
import { prefixdWords } from '../support/program.ts';

const VICTIM = '203.0.113.10';
const RULE = `match dst ${VICTIM}/32 proto udp then discard`;

describe('two POPs with a router each', { skip: missingPostgres() }, () => {
  let lab: PopLab;

  before(async () => {
    lab = await PopLab.start(['ber', 'fra']);
  });
  after(() => lab?.end());

  /** Runs a command against one POP's daemon. */
  async function prefixd(pop: string, ...args: readonly string[]): Promise<string> {
    const [program, ...words] = prefixdWords();
    const { clientEnvironment } = lab.pop(pop).prefixd;
    const environment = Object.entries({ ...clientEnvironment, USER: 'kim' }).map(
      ([key, value]) => `${key}=${value}`,
    );
    return output('env', [...environment, program, ...words, ...args]);
  }

  const report = (pop: string, victim: string, vector: string) =>
    lab
      .pop(pop)
      .prefixd.call('POST', '/v1/events', { source: 'test', victim_ip: victim, vector, confidence: 0.9 });

  const rules = (pop: string, ...wanted: readonly string[]) =>
    until(`${pop} has ${wanted.length} rules`, () => lab.pop(pop).rules().join('\n') === wanted.join('\n'));

  it('announces a report at one POP at both, and shows where it was decided', async () => {
    const { status, body } = await report('ber', VICTIM, 'udp_flood');
    assert.equal(status, 202);
    await rules('ber', RULE);
    await rules('fra', RULE);
    const { body: there } = await lab.pop('fra').prefixd.call('GET', `/v1/mitigations/${body.mitigation_id}`);
    assert.equal(there.origin, 'ber');
    assert.match(await prefixd('fra', 'mitigations', '--active'), /\bber\s+203\.0\.113\.10\b/);
  });

  it('keeps a step without a scope at its POP, and lists it everywhere', async () => {
    await report('fra', '203.0.113.11', 'icmp_flood');
    const local = 'match dst 203.0.113.11/32 proto icmp then discard';
    await rules('fra', RULE, local);
    const list = await until('ber lists it', async () => {
      const text = await prefixd('ber', 'mitigations', '--pop', 'all', '--active');
      return text.includes('203.0.113.11') ? text : undefined;
    });
    assert.match(list, /not here\s+fra\s+203\.0\.113\.11/);
    assert.deepEqual(lab.pop('ber').rules(), [RULE]);
  });

  it('shows both POPs', async () => {
    const text = await prefixd('ber', 'pops');
    assert.match(text, /^ber \(this\)\s+up\s+\d\.\ds\s+1\/1/m);
    assert.match(text, /^fra\s+up\s+\d\.\ds\s+1\/1\s+\d+\s+\d+\s+same/m);
    const { body } = await lab.pop('ber').prefixd.call('GET', '/v1/health/detail');
    assert.equal(body.status, 'ok');
  });

  it('withdraws at both within a second, and names a POP that is cut off', async () => {
    const fra = lab.pop('fra');
    fra.proxy.mode = 'silent';
    const failed = await prefixd(
      'ber',
      'safelist',
      'add',
      `${VICTIM}/32`,
      '--pop',
      'all',
      '--reason',
      'resolver',
    ).then(
      () => '',
      (error: Error) => error.message,
    );
    assert.match(failed, /not done at fra \(unconfirmed\)/);
    assert.deepEqual(lab.pop('ber').rules(), []);
    assert.ok(fra.rules().includes(RULE));
    assert.match(await prefixd('ber', 'pops'), /safelist add 203\.0\.113\.10\/32\s+kim.*fra\s+unconfirmed/);
    await until('health says so', async () => {
      const { body } = await fra.prefixd.call('GET', '/v1/health/detail');
      return JSON.stringify(body.reasons).includes('nothing is exchanged with other POPs');
    });
    fra.proxy.mode = 'pass';
    await until('fra withdraws it', () => !fra.rules().includes(RULE));
    await until('it is confirmed', async () => !(await prefixd('ber', 'pops')).includes('unconfirmed'));
    const done = await prefixd('ber', 'safelist', 'remove', `${VICTIM}/32`, '--pop', 'all');
    assert.match(done, /ber\s+done/);
    assert.match(done, /fra\s+done/);
  });

  it('pauses both, and resumes both', async () => {
    assert.match(await prefixd('fra', 'pause', '--pop', 'all', '--reason', 'test'), /ber\s+done/);
    const { body } = await lab.pop('ber').prefixd.call('GET', '/v1/health/detail');
    assert.match(String(Object(body.paused).by), /kim/);
    await prefixd('fra', 'resume', '--pop', 'all', '--reason', 'test');
  });

  it('goes on with its own epoch when a daemon is killed and started again', async () => {
    const ber = lab.pop('ber');
    const { body } = await report('ber', '203.0.113.12', 'udp_flood');
    const rule = 'match dst 203.0.113.12/32 proto udp then discard';
    const fra = lab.pop('fra');
    await until('fra has it', () => fra.rules().includes(rule));
    await ber.prefixd.kill('SIGKILL');
    await ber.prefixd.run();
    await lab.ready(ber);
    await prefixd('ber', 'withdraw', String(body.mitigation_id), '--reason', 'over');
    await until('fra withdraws it', () => !fra.rules().includes(rule));
  });
});
