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

test('decode | encode gives back every line: IPv6 offsets, VPNs, unknown actions, tolerated forms', async () => {
  const given = [
    { ...DNS, actions: ['0800000000000000'] },
    { ...DNS, actions: ['0800000000000001'], next_hop: '20010db8000000000000000000000001' },
    { afi: 1, safi: 133, nlri: '0405910035', actions: ['80060000c0000000', '0002fde800000064'] },
    { afi: 2, safi: 133, nlri: '080268412468acf134' },
    { afi: 2, safi: 134, nlri: '130000ffff00010000026841 2468acf134 098112'.replaceAll(' ', '') },
    { afi: 2, safi: 133, nlri: '03038111', actions: [`000c20010db8${'00'.repeat(11)}010001`] },
  ];
  const { stdout } = await cli(['flowspec', 'decode'], {
    stdin: given.map((line) => JSON.stringify(line)).join('\n'),
  });
  const printed = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const back = await lines(['flowspec', 'encode'], printed);
  for (const [i, line] of given.entries()) {
    assert.equal(printed[i]?.ok, true, printed[i]?.error);
    const { ok, nlri, actions, next_hop } = back[i] ?? {};
    assert.equal(ok, true);
    assert.equal(nlri, printed[i].nlri);
    const { afi, safi } = line;
    const [again] = await lines(['flowspec', 'decode'], [{ afi, safi, nlri, actions, next_hop }]);
    assert.deepEqual(again?.actions, printed[i].actions);
  }
});

test('encode refuses a port that no packet has', async () => {
  const [answer] = await lines(
    ['flowspec', 'encode'],
    [{ afi: 1, components: [{ type: 5, ops: [{ eq: true, value: 65536 }] }] }],
  );
  assert.deepEqual(answer, {
    ok: false,
    error: "components[0].ops[0].value: dst-port 65536 is above 65535, the field's maximum",
  });
});

test('order compares the octets as they were sent (RFC 8955 §5.1)', async () => {
  const wide = '{"afi":1,"safi":133,"nlri":"0405910035"}';
  const narrow = '{"afi":1,"safi":133,"nlri":"03058140"}';
  const { stdout } = await cli(['flowspec', 'order'], { stdin: `${wide}\n${narrow}\n` });
  assert.equal(stdout, `${narrow}\n${wide}\n`);
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
