import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duration, linesBelow, pairs, printable, table, wrapped } from '../../src/cli/tables.ts';
import type { Column } from '../../src/cli/tables.ts';

const ESC = String.fromCharCode(27);

type Row = { readonly id: string; readonly state: string; readonly note: string };

const COLUMNS: readonly Column<Row>[] = [
  { title: 'ID', value: (row) => row.id },
  { title: 'STATE', value: (row) => row.state, color: () => 'green' },
  { title: 'NOTE', value: (row) => row.note, least: 6, optional: true },
];
const ROWS: readonly Row[] = [
  { id: 'a1', state: 'up', note: 'a note that is rather long' },
  { id: 'b22', state: 'down', note: '' },
];

test('columns are aligned and lines have no trailing space', () => {
  assert.equal(
    table(COLUMNS, ROWS, { width: Number.POSITIVE_INFINITY, color: false }),
    'ID   STATE  NOTE\na1   up     a note that is rather long\nb22  down\n',
  );
});

test('where the terminal is narrow, what may be cut is cut', () => {
  const lines = table(COLUMNS, ROWS, { width: 24, color: false }).split('\n');
  assert.equal(lines[1], 'a1   up     a note that…');
  assert.ok(lines.every((line) => line.length <= 24));
});

test('where cutting is not enough, an optional column is left out', () => {
  assert.equal(table(COLUMNS, ROWS, { width: 15, color: false }), 'ID   STATE\na1   up\nb22  down\n');
});

test('what must not be cut is never cut', () => {
  assert.match(table(COLUMNS, ROWS, { width: 3, color: false }), /^b22 {2}down$/m);
});

test('colours do not disturb the alignment', () => {
  const painted = table(COLUMNS, ROWS, { width: 80, color: true });
  assert.ok(painted.includes(`${ESC}[32mup${ESC}[39m`));
  assert.equal(
    painted.replaceAll(new RegExp(`${ESC}\\[\\d+m`, 'g'), ''),
    table(COLUMNS, ROWS, { width: 80, color: false }),
  );
});

test('cells cannot move the cursor', () => {
  const rows = [{ id: 'x\n\u001b[31my', state: '\u202e', note: '' }];
  const drawn = table(COLUMNS, rows, { width: 80, color: false });
  assert.equal(drawn.split('\n').length, 3);
  assert.ok(!drawn.includes(ESC) && !drawn.includes('\u202e'));
  assert.equal(printable('a\u0000b\u2028c'), 'a b c');
});

test('durations are short', () => {
  assert.deepEqual([0, 59, 125, 11_400, 1_051_200].map(duration), ['0s', '59s', '2m05s', '3h10m', '12d04h']);
});

test('pairs are aligned', () => {
  assert.equal(
    pairs([
      ['a', '1'],
      ['long', '2'],
    ]),
    'a     1\nlong  2\n',
  );
});

test('prose is broken between words, and what is continued is indented', () => {
  assert.equal(wrapped('one two three four', 9), 'one two\n  three\n  four');
  assert.equal(wrapped('  - one two three', 10), '  - one\n    two\n    three');
  assert.equal(wrapped('short\nlines stay', 40), 'short\nlines stay');
  assert.equal(
    wrapped('a word-that-is-longer-than-the-width stays', 10),
    'a\n  word-that-is-longer-than-the-width\n  stays',
  );
});

test('the value of a pair is broken at its own column', () => {
  assert.equal(
    pairs([['rule', 'match dst 203.0.113.10/32 then discard']], { color: false, width: 30 }),
    'rule  match dst\n        203.0.113.10/32 then\n        discard\n',
  );
});

test('lines below a row are indented', () => {
  assert.equal(linesBelow('ID\na\nb\n', [['one two'], []], 80), 'ID\na\n    one two\nb\n');
});
