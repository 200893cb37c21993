import assert from 'node:assert/strict';
import { join } from 'node:path';
import { it } from 'node:test';
import { output } from '../support/children.ts';
import { missingPostgres } from '../support/postgres-server.ts';

it('the walk through two POPs of docs/several-pops.md goes to its end', {
  skip: missingPostgres(),
}, async () => {
  const root = join(import.meta.dirname, '..', '..');
  const script = join(root, 'scripts', 'several-pops.ts');
  const text = await output(process.execPath, ['--import', 'tsx', script, '--once']);
  for (const expected of [
    /router of fra: announced match dst 203\.0\.113\.10\/32 proto udp then rate-limit 5mbps/,
    /not here +fra +203\.0\.113\.11/,
    /! nothing is exchanged with other POPs: PostgreSQL at /,
    /fra +unconfirmed +it has not answered yet/,
    /router of fra: withdrawn match dst 203\.0\.113\.10\/32/,
  ]) {
    assert.match(text, expected);
  }
});
