/** Tests `alerting`: what becomes of destinations and their rules, and what `check` says about them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { destinationNames } from '../../src/alert/alert-destination.ts';
import { load, problemsOf, SHORTEST, sound, warningsOf } from './folder.ts';

const ENVIRONMENT = {
  DISCORD: 'https://discord.com/api/webhooks/1/discordsecret',
  TEAMS: 'https://x.api.powerplatform.com/workflows/y?sig=teamssecret',
  BOT: '123:botsecret-_',
  OPSGENIE: 'opsgeniesecret',
  PAGERDUTY: 'pagerdutysecret',
};

const alertingOf = (...destinations: readonly string[]): string =>
  `${SHORTEST}alerting:\n  destinations:\n${destinations.map((one) => `    - ${one}\n`).join('')}`;

test('every type of destination and every rule is read', async (t) => {
  const text = alertingOf(
    '{ type: discord, webhook_url_env: DISCORD, name: noc, digest_seconds: 60 }',
    '{ type: teams, webhook_url_env: TEAMS, min_severity: warning }',
    '{ type: telegram, bot_token_env: BOT, chat_id: "-1001234567890", thread_id: 4, customers: [acme] }',
    '{ type: opsgenie, api_key_env: OPSGENIE, region: eu }',
    '{ type: pagerduty, routing_key_env: PAGERDUTY, region: eu, events: [control.paused, control.resumed] }',
  );
  const result = await load(t, text, ENVIRONMENT);
  const config = sound(result);
  assert.deepEqual(
    warningsOf(result).filter((line) => line.includes('alerting')),
    [],
  );
  assert.deepEqual(config.alerting.destinations, [
    { type: 'discord', webhookUrl: ENVIRONMENT.DISCORD, name: 'noc', digestSeconds: 60 },
    { type: 'teams', webhookUrl: ENVIRONMENT.TEAMS, minSeverity: 'warning' },
    {
      type: 'telegram',
      botToken: ENVIRONMENT.BOT,
      chatId: '-1001234567890',
      threadId: 4,
      customers: ['acme'],
    },
    { type: 'opsgenie', apiKey: ENVIRONMENT.OPSGENIE, region: 'eu' },
    {
      type: 'pagerduty',
      routingKey: ENVIRONMENT.PAGERDUTY,
      region: 'eu',
      events: ['control.paused', 'control.resumed'],
    },
  ]);
  assert.deepEqual(destinationNames(config.alerting.destinations), [
    'noc',
    'teams',
    'telegram',
    'opsgenie',
    'pagerduty',
  ]);
});

test('no secret of a destination is shown', async (t) => {
  const text = alertingOf(
    '{ type: discord, webhook_url_env: DISCORD }',
    '{ type: teams, webhook_url_env: TEAMS }',
    '{ type: telegram, bot_token_env: BOT, chat_id: "@noc" }',
    '{ type: opsgenie, api_key_env: OPSGENIE }',
  );
  const { shown, secrets } = sound(await load(t, text, ENVIRONMENT));
  assert.doesNotMatch(JSON.stringify(shown), /secret"|secret-_|sig=|webhooks\/1/);
  for (const name of ['DISCORD', 'TEAMS', 'BOT', 'OPSGENIE'] as const) {
    assert.ok(secrets.includes(ENVIRONMENT[name]), name);
  }
});

for (const [what, destinations, message, environment] of [
  [
    'two destinations of one name',
    [
      '{ type: discord, webhook_url_env: DISCORD, name: noc }',
      '{ type: teams, webhook_url_env: TEAMS, name: noc }',
    ],
    /destinations\[1\]\.name: "noc" is the name of two destinations; give it another name/,
  ],
  [
    'a name that another destination has by its type',
    ['{ type: discord, webhook_url_env: DISCORD, name: teams }', '{ type: teams, webhook_url_env: TEAMS }'],
    /destinations\[1\]\.name: "teams" is the name of two destinations/,
  ],
  [
    'a name that is unsafe in a path',
    ['{ type: teams, webhook_url_env: TEAMS, name: "a/b" }'],
    /destinations\[0\]\.name: invalid value "a\/b": expected a name of 1 to 64/,
  ],
  [
    'a connector of Teams, without showing it',
    ['{ type: teams, webhook_url_env: TEAMS }'],
    /webhook_url_env: the value of the environment variable TEAMS is the URL of a connector, [^/]*$/,
    { TEAMS: 'https://acme.webhook.office.com/webhookb2/x' },
  ],
  [
    'a token that is none of a bot, without showing it',
    ['{ type: telegram, bot_token_env: BOT, chat_id: "1" }'],
    /bot_token_env: the value of the environment variable BOT is not the token of a bot, such as 123456:ABC-DEF;/,
    { BOT: '../sendMessage?x=' },
  ],
  [
    'a chat without quotes',
    ['{ type: telegram, bot_token_env: BOT, chat_id: -100123 }'],
    /chat_id: .*in quotes/,
  ],
  [
    'a key that would break a header',
    ['{ type: opsgenie, api_key_env: OPSGENIE }'],
    /api_key_env: the value of the environment variable OPSGENIE contains control/,
    { OPSGENIE: 'a\nb' },
  ],
  [
    'an event that does not exist',
    ['{ type: teams, webhook_url_env: TEAMS, events: [mitigation.create] }'],
    /destinations\[0\]\.events\[0\]: .*did you mean "mitigation\.created"\?/,
  ],
  [
    'a digest for incidents',
    ['{ type: pagerduty, routing_key_env: PAGERDUTY, digest_seconds: 60 }'],
    /destinations\[0\]\.digest_seconds: unknown key/,
  ],
] as const) {
  test(`check refuses ${what}`, async (t) => {
    const result = await load(t, alertingOf(...destinations), { ...ENVIRONMENT, ...environment });
    assert.match(problemsOf(result).join('\n'), message);
  });
}

for (const [what, destination, message] of [
  [
    'a customer that is not in the inventory',
    '{ type: teams, webhook_url_env: TEAMS, customers: [acmee] }',
    /destinations\[0\]\.customers\[0\]: there is no customer "acmee" in the inventory; did you mean "acme"\?/,
  ],
  [
    'incidents that nothing closes',
    '{ type: opsgenie, api_key_env: OPSGENIE, events: [mitigation.created, mitigation.withdrawn] }',
    /destinations\[0\]\.events: incidents of some mitigations are not closed when they end; add mitigation\.expired/,
  ],
  [
    'a destination that gets nothing',
    '{ type: teams, webhook_url_env: TEAMS, events: [] }',
    /destinations\[0\]\.events: no alert is sent to this destination; name events, or omit this key/,
  ],
] as const) {
  test(`check warns about ${what}`, async (t) => {
    const result = await load(t, alertingOf(destination), ENVIRONMENT);
    sound(result);
    assert.match(warningsOf(result).join('\n'), message);
  });
}

test('a scrubber that fails is told of if any destination gets the event', async (t) => {
  const scrubbers = `scrubbers:
  - name: fra
    redirect: { ipv4: 192.0.2.50 }
    probe: { url: "http://192.0.2.60/" }
`;
  const warned = async (destination: string) =>
    warningsOf(await load(t, `${scrubbers}${alertingOf(destination)}`, ENVIRONMENT)).some((line) =>
      line.includes('no alert is sent about a scrubber'),
    );
  assert.equal(await warned('{ type: teams, webhook_url_env: TEAMS }'), true);
  assert.equal(await warned('{ type: teams, webhook_url_env: TEAMS, events: [scrubber.down] }'), false);
});
