import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseYaml } from '../../src/config/yaml/yaml.ts';
import { load, problemsOf } from './folder.ts';

/** Formats the problems of an invalid YAML text as `line:column message; fix`. */
function faults(text: string): readonly string[] {
  const { problems } = parseYaml('f.yaml', text);
  return problems.map(({ line, column, message, fix }) => `${line}:${column} ${message}; ${fix}`);
}

const broken: readonly (readonly [what: string, text: string, said: readonly string[]])[] = [
  [
    'a line below a key that has a value is sent to the level of that key',
    'bgp:\n  local_asn: 65010\n   router_id: "192.0.2.10"\n',
    [
      '3:4 this is not YAML: this line is indented by 3 spaces, deeper than "local_asn" in line 2, which already has a value; indent it by 2 spaces like "local_asn"',
    ],
  ],
  [
    'a line between two levels may have been meant for either',
    'bgp:\n  local_asn: 65010\n router_id: "192.0.2.10"\n',
    [
      '3:1 this is not YAML: this line is indented by 1 space, unlike any section above it; indent it by 2 spaces, like "local_asn" in line 2, or not at all, like "bgp" in line 1',
    ],
  ],
  [
    'the keys of an entry go below its first key, and one wrong line is no model for the next',
    'list:\n  - name: a\n  port: 1\n  asn: 2\n',
    [
      '3:1 this is not YAML: this line is indented by 2 spaces, unlike any section above it; indent it by 4 spaces, like "name" in line 2, or not at all, like "list" in line 1',
      '4:1 this is not YAML: this line is indented by 2 spaces, unlike any section above it; indent it by 4 spaces, like "name" in line 2, or not at all, like "list" in line 1',
    ],
  ],
  [
    'a file that begins indented has its further sections there, and what follows is not checked',
    '  bgp:\n    local_asn: 1\nhttp:\n  listen: "127.0.0.1:1"\n',
    [
      '3:1 this is not YAML: this line is not indented, unlike any section above it; indent it by 2 spaces, like "bgp" in line 1',
    ],
  ],
];

for (const [what, text, said] of broken) test(what, () => assert.deepEqual(faults(text), said));

test('other slips get advice of their own, not about indentation', () => {
  assert.match(faults('bgp:\n\tlocal_asn: 1\n').join(), /indent with spaces$/);
  assert.match(
    faults('bgp:\n  local_asn:65010\n  router_id: x\n').join(),
    /write a space after the colon: "local_asn: \.\.\."$/,
  );
  assert.match(faults('a: b: c\n').join(), /put quotes around a value that contains a colon$/);
  assert.match(faults('a: [1, 2\nb: 3\n').join(), /close the bracket that was opened above$/);
  assert.match(faults('a: "x\nb: 3\n').join(), /close the quote or bracket that was opened above$/);
});

const misplaced: readonly (readonly [what: string, settings: string, said: readonly RegExp[]])[] = [
  [
    'keys beside the section they belong to are indented below it',
    'bgp:\nlocal_asn: 65010\nrouter_id: "192.0.2.10"\n',
    [
      /1:5 bgp: the key has no value; write its content below it, indented/,
      /2:1 local_asn: unknown key "local_asn"; it belongs in bgp: indent it below "bgp" in line 1$/,
      /3:1 router_id: unknown key "router_id"; it belongs in bgp: indent it below "bgp" in line 1$/,
    ],
  ],
  [
    'a section inside of another is taken out',
    'bgp:\n  local_asn: 65010\n  router_id: "192.0.2.10"\n  http:\n    listen: "127.0.0.1:8080"\n',
    [/4:3 bgp\.http: .*it belongs in the top of the file: indent it like "bgp" in line 1$/],
  ],
  [
    'a key beside its own section in an entry of a list is indented below it',
    'bgp:\n  local_asn: 1\n  router_id: "192.0.2.10"\n  neighbors:\n    - name: a\n      address: "192.0.2.1"\n      peer_asn: 2\n      graceful_restart:\n      restart_time_seconds: 60\n',
    [/9:7 bgp\.neighbors\[0\]\.restart_time_seconds: .*: indent it below "graceful_restart" in line 8$/],
  ],
  [
    'a list without dashes gets the advice how to begin an entry',
    'bgp:\n  local_asn: 1\n  router_id: "192.0.2.10"\n  neighbors:\n    name: a\n    address: "192.0.2.1"\n',
    [
      /5:5 bgp\.neighbors: .*write a list: begin each entry with "- ", and indent its other keys like the first one$/,
    ],
  ],
  [
    'a section with dashes gets the advice to remove them',
    'bgp:\n  - local_asn: 1\n  - router_id: "192.0.2.10"\n',
    [/2:3 bgp: invalid value \(a list\); write a section with the keys .*, without "-" before the keys$/],
  ],
];

for (const [what, settings, said] of misplaced) {
  test(what, async (t) => {
    const problems = problemsOf(await load(t, settings));
    assert.equal(problems.length, said.length, problems.join('\n'));
    for (const [i, pattern] of said.entries()) assert.match(problems[i] ?? '', pattern);
  });
}

test('an entry that one dash too many splits in two is recognized', async (t) => {
  const settings =
    'bgp:\n  local_asn: 1\n  router_id: "192.0.2.10"\n  neighbors:\n    - name: a\n    - address: "192.0.2.1"\n      peer_asn: 2\n';
  const problems = problemsOf(await load(t, settings));
  assert.match(
    problems[0] ?? '',
    /neighbors\[0\]\.address: required key address is missing; every "-" begins a new entry: if address belongs to this entry, remove the "-" in line 6/,
  );
});
