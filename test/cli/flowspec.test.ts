import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cli } from './harness.ts';

const DNS = { afi: 1, safi: 133, nlri: '0c0120cb00710a038111058135' };

async function lines(
  argv: readonly string[],
  input: readonly unknown[],
): Promise<readonly Record<string, unknown>[]> {
  const stdin = input.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join('\n');
  const { code, stdout } = await cli(argv, { stdin });
  assert.equal(code, 0);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

test('decode answers line for line, also what is no rule and no JSON', async () => {
  const [rule, malformed, garbage] = await lines(
    ['flowspec', 'decode'],
    [DNS, { ...DNS, nlri: '0101' }, '{'],
  );
  assert.equal(rule?.ok, true);
  assert.equal(rule?.rule, 'match dst 203.0.113.10/32 proto udp dst-port 53');
  assert.equal(rule?.nlri, DNS.nlri);
  assert.equal(malformed?.ok, false);
  assert.match(String(garbage?.error), /^not JSON/);
});

test('encode takes what decode gives', async () => {
  const [decoded] = await lines(['flowspec', 'decode'], [DNS]);
  const [encoded] = await lines(['flowspec', 'encode'], [{ afi: 1, components: decoded?.components }]);
  assert.deepEqual(encoded, { ok: true, nlri: DNS.nlri });
});

test('order writes the very lines that came in, the more specific rule first', async () => {
  const host = '{"afi": 1, "safi": 133, "nlri": "060120cb00710a"}';
  const wide = '{"afi":1,"safi":133,"nlri":"050118cb0071"}';
  const { code, stdout, stderr } = await cli(['flowspec', 'order'], {
    stdin: `${wide}\nnonsense\n${host}\n`,
  });
  assert.equal(stdout, `${host}\n${wide}\n`);
  assert.match(stderr, /line 2: not JSON/);
  assert.equal(code, 5);
});

test('a last line without a line feed is a line', async () => {
  const { stdout } = await cli(['flowspec', 'order'], { stdin: JSON.stringify(DNS) });
  assert.equal(stdout, `${JSON.stringify(DNS)}\n`);
});

test('nothing in, nothing out', async () => {
  assert.deepEqual(await cli(['flowspec', 'decode'], { stdin: '' }), { code: 0, stdout: '', stderr: '' });
});
