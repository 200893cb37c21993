/**
 * `npm run fixtures [-- NAME...]`: captures sessions between real BGP daemons into fixtures/wire/NAME.pcap, each with its
 * expectation NAME.json. Needs root (tcpdump) and the Debian packages gobgpd, bird2, frr, exabgp and tcpdump.
 *
 * No octet of this project's own encoder is in these files: daemons talk to daemons. While it captures, the script waits
 * until the receiver's own table shows what the scenario says by hand; a difference ends it.
 */
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FamilyName } from '../src/bgp/wire/iana.ts';
import { findProgram, start, until } from '../test/support/children.ts';
import { startBird } from '../test/support/daemons/bird.ts';
import type { DaemonConfig, PeerConfig, TableRule } from '../test/support/daemons/daemon.ts';
import { type AnyDaemon, startDaemon } from '../test/support/daemons.ts';
import { rateIn } from '../test/support/rule-json.ts';
import { WIRE_FOLDER, type WireFixture } from '../test/support/wire-fixture.ts';
import { type Deed, type Scenario, SCENARIOS } from './fixture-scenarios.ts';

/** Addresses and ports are fixed, so that a new capture differs from the old only where the daemons do. */
const SIDES = {
  sender: { address: '127.88.0.1', asn: 65101, routerId: '10.88.0.1', port: 10179 },
  receiver: { address: '127.88.0.2', asn: 65102, routerId: '10.88.0.2', port: 10180 },
} as const;
type Side = keyof typeof SIDES;

const asked = process.argv.slice(2);
for (const scenario of SCENARIOS) {
  if (asked.length > 0 && !asked.includes(scenario.name)) continue;
  await capture(scenario);
}

async function capture(scenario: Scenario): Promise<void> {
  mkdirSync(WIRE_FOLDER, { recursive: true });
  const file = join(WIRE_FOLDER, `${scenario.name}.pcap`);
  const dump = await startTcpdump(file);
  const running: Partial<Record<Side, AnyDaemon>> = {};
  try {
    const waiting: Side = scenario.dials === 'sender' ? 'receiver' : 'sender';
    running[waiting] = await startDaemon(scenario[waiting], configOf(scenario, waiting));
    running[scenario.dials] = await startDaemon(scenario[scenario.dials], configOf(scenario, scenario.dials));
    const fixture = await play(scenario, running);
    await sleep(300);
    await dump.stop('SIGINT');
    writeFileSync(join(WIRE_FOLDER, `${scenario.name}.json`), `${JSON.stringify(fixture, null, 1)}\n`);
    console.log(`${scenario.name}: ${statSync(file).size} octets`);
  } catch (error) {
    for (const side of ['sender', 'receiver'] as const) {
      console.error(`--- ${scenario.name}, ${side}:\n${running[side]?.log() ?? 'not started'}`);
    }
    throw error;
  } finally {
    await running.sender?.stop('SIGKILL');
    await running.receiver?.stop('SIGKILL');
    await dump.stop('SIGINT');
  }
}

async function startTcpdump(file: string): Promise<{ stop(signal: NodeJS.Signals): Promise<void> }> {
  const filter = `tcp port ${SIDES.sender.port} or tcp port ${SIDES.receiver.port}`;
  const running = start(findProgram('tcpdump') ?? 'tcpdump', [
    ...['-i', 'lo', '-U', '--immediate-mode', '-s', '0', '-Z', 'root', '-w', file],
    filter,
  ]);
  await until('tcpdump listens', () => {
    if (running.ended) throw new Error(running.log());
    return running.log().includes('listening on lo') && existsSync(file);
  });
  return running;
}

function configOf(scenario: Scenario, side: Side): DaemonConfig {
  const other: Side = side === 'sender' ? 'receiver' : 'sender';
  const address = (of: Side): string => (scenario.over === 'ipv6' ? '::1' : SIDES[of].address);
  const peer: PeerConfig = {
    address: address(other),
    asn: SIDES[other].asn,
    families: scenario.families,
    ...(scenario.dials === side ? { dial: SIDES[other].port } : {}),
    ...(scenario.md5Password === undefined ? {} : { md5Password: scenario.md5Password }),
    helper: true,
    ...(scenario.graceful === true && side === 'sender' ? { restarting: 60 } : {}),
  };
  return { ...SIDES[side], address: address(side), peers: [peer] };
}

/** Does what the scenario says, step by step, and writes down what was asked and what the receiver's table showed. */
async function play(scenario: Scenario, running: Partial<Record<Side, AnyDaemon>>): Promise<WireFixture> {
  const daemon = (side: Side): AnyDaemon => {
    const found = running[side];
    if (found === undefined) throw new Error(`${side} does not run`);
    return found;
  };
  const peerOf = (side: Side): string => daemon(side).config.peers[0]?.address ?? '';
  await until('the session is established', async () => {
    return (
      (await daemon('sender').established(peerOf('sender'))) &&
      (await daemon('receiver').established(peerOf('receiver')))
    );
  });
  // The initial table, empty, and its End-of-RIB.
  await sleep(1000);

  const standing = new Map<string, { readonly rate: number | null }>();
  const steps: WireFixture['steps'][number][] = [];
  const tables: WireFixture['tables'][number][] = [];
  let routes = '';
  for (const { deed, ...step } of scenario.steps) {
    const before = deed.do === 'crash' ? daemon('sender') : undefined;
    if (deed.do === 'bird') routes = deed.routes.join('\n');
    if (before !== undefined) {
      await before.stop('SIGKILL');
      running.sender = await startBird({ ...before.config, originate: routes }, true);
    } else await act(deed, daemon('sender'), daemon('receiver'));
    steps.push({ ...step, command: commandText(deed) });
    for (const rule of step.withdrawn) standing.delete(keyOf(rule.family ?? step.family, rule));
    for (const rule of step.announced) {
      standing.set(keyOf(rule.family ?? step.family, rule), { rate: rateIn(rule.actions ?? []) });
    }
    await until(`${scenario.receiver} shows what stands after "${step.what}"`, async () => {
      return (await differences(daemon('receiver'), scenario.families, standing)) === undefined;
    }).catch(async (error: Error) => {
      throw new Error(
        `${error.message}: ${await differences(daemon('receiver'), scenario.families, standing)}`,
      );
    });
    if (deed.do === 'crash') {
      await until('the session is back', () => daemon('sender').established(peerOf('sender')));
      await sleep(1500);
    }
    if (deed.do === 'refresh') await sleep(1500);
    tables.push({
      after: step.what,
      family: step.family,
      text: await tableText(daemon('receiver'), step.family),
    });
  }
  if (scenario.ends !== undefined) {
    await end(daemon(scenario.ends.by), peerOf(scenario.ends.by), scenario.ends.communication);
    const other = scenario.ends.by === 'sender' ? 'receiver' : 'sender';
    await until('the session is over', async () => !(await daemon(other).established(peerOf(other))));
  }
  const described = (role: Side): WireFixture['daemons'][number] => ({
    role,
    version: daemon(role).version,
    address: daemon(role).config.address,
    asn: daemon(role).config.asn,
    routerId: daemon(role).config.routerId,
    configuration: daemon(role).configText,
  });
  return {
    title: scenario.title,
    daemons: [described('sender'), described('receiver')],
    steps,
    opens: scenario.opens,
    endOfRib: scenario.endOfRib,
    notifications: scenario.notifications,
    routeRefreshes: scenario.routeRefreshes,
    md5: scenario.md5Password !== undefined,
    tables,
  };
}

/** ExaBGP and gobgp show times and counters that change; only the last lines of a long journal are of interest. */
async function tableText(daemon: AnyDaemon, family: FamilyName): Promise<string> {
  return (await daemon.tableText(family)).trim();
}

function keyOf(family: FamilyName, rule: { readonly components: unknown }): string {
  return `${family} ${JSON.stringify(rule.components)}`;
}

/** Describes how the receiver's table differs from the scenario; undefined if it does not. */
async function differences(
  receiver: AnyDaemon,
  families: readonly FamilyName[],
  standing: ReadonlyMap<string, { readonly rate: number | null }>,
): Promise<string | undefined> {
  const shown = new Map<string, TableRule>();
  for (const family of families) {
    for (const rule of await receiver.rules(family)) {
      const key = keyOf(family, rule);
      // A truncated line means the only rule that begins like it.
      const beginning = key.slice(0, key.lastIndexOf('}]}]'));
      const whole = rule.cut
        ? [...standing.keys()].find((wanted) => wanted.startsWith(beginning))
        : undefined;
      shown.set(whole ?? key, rule);
    }
  }
  for (const [key, { rate }] of standing) {
    const there = shown.get(key);
    if (there === undefined) return `missing ${key}; shown: ${[...shown.keys()].join('\n')}`;
    if (there.rate !== rate) return `${key} has rate ${there.rate}, not ${rate}`;
  }
  for (const [key, rule] of shown) if (!standing.has(key)) return `not wanted: ${rule.verbatim}`;
  return undefined;
}

async function act(deed: Deed, sender: AnyDaemon, receiver: AnyDaemon): Promise<void> {
  switch (deed.do) {
    case 'gobgp':
      if (sender.kind !== 'gobgp') throw new Error('the sender is not gobgp');
      for (const line of deed.lines) await sender.command(...line.split(' '));
      return;
    case 'bird':
      if (sender.kind !== 'bird') throw new Error('the sender is not bird');
      await sender.originate(deed.routes.join('\n'));
      return;
    case 'exabgp':
      if (sender.kind !== 'exabgp') throw new Error('the sender is not exabgp');
      for (const line of deed.lines) await sender.command(line);
      return;
    case 'refresh':
      if (receiver.kind !== 'bird') throw new Error('the receiver is not bird');
      await receiver.command('reload', 'in', 'peer0');
      return;
    case 'crash':
      throw new Error('a crash is no command');
  }
}

function commandText(deed: Deed): string {
  switch (deed.do) {
    case 'gobgp':
      return deed.lines.map((line) => `gobgp ${line}`).join('\n');
    case 'bird':
      return deed.routes.join('\n');
    case 'exabgp':
      return deed.lines.join('\n');
    case 'refresh':
      return 'birdc reload in peer0 (on the receiver)';
    case 'crash':
      return 'kill -9, bird -R';
  }
}

/** Ends the session with Cease, Administrative Shutdown, and these words (RFC 9003). */
async function end(by: AnyDaemon, peer: string, communication: string): Promise<void> {
  if (by.kind === 'gobgp') await by.command('neighbor', peer, 'shutdown', '--reason', communication);
  else if (by.kind === 'bird') await by.command('disable', 'peer0', `"${communication}"`);
  else if (by.kind === 'frr') {
    await by.command(
      'configure terminal',
      `router bgp ${by.config.asn}`,
      `neighbor ${peer} shutdown message ${communication}`,
    );
  } else throw new Error(`${by.kind} is not asked to end a session`);
}
