/**
 * `npm run bench`: measures prefixd beside what a user would otherwise run, on this machine, in one run.
 *
 *     npm run bench -- [--only NAME]... [--quick] [--json]
 *
 * Prints Markdown tables, or JSON for machines. A target that is missed is shown, not an error: numbers of a shared
 * machine fail nobody's build.
 */
import { parseArgs } from 'node:util';
import { describeMachine, machineText } from './machine.ts';
import { render, type Scenario, type Section, type Settings } from './report.ts';
import { announce } from './scenarios/announce.ts';
import { codec } from './scenarios/codec.ts';
import { database } from './scenarios/database.ts';
import { event } from './scenarios/event.ts';
import { fanout } from './scenarios/fanout.ts';
import { growth } from './scenarios/growth.ts';
import { reconnect } from './scenarios/reconnect.ts';
import { start } from './scenarios/start.ts';
import { throughput } from './scenarios/throughput.ts';

const SCENARIOS: readonly Scenario[] = [
  announce,
  reconnect,
  event,
  throughput,
  growth,
  start,
  codec,
  fanout,
  database,
];

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const names = SCENARIOS.map(({ name }) => name);
const unknown = values.only.find((name) => !names.includes(name));
if (values.help || unknown !== undefined) {
  const complaint = unknown === undefined ? '' : `there is no scenario "${unknown}"\n`;
  process.stderr.write(
    `${complaint}npm run bench -- [--only NAME]... [--quick] [--json]\n  ${names.join(', ')}\n`,
  );
  process.exit(unknown === undefined ? 0 : 1);
}

const machine = describeMachine();
const sections: Section[] = [];
if (!values.json) process.stdout.write(`${machineText(machine)}\n\n`);
for (const { name, title, run } of SCENARIOS) {
  if (values.only.length > 0 && !values.only.includes(name)) continue;
  const settings: Settings = {
    quick: values.quick,
    progress: (text) => process.stderr.write(`${name}: ${text}\n`),
  };
  const section: Section = { name, title, ...(await run(settings)) };
  sections.push(section);
  if (!values.json) process.stdout.write(`${render(section)}\n`);
}
if (values.json) {
  process.stdout.write(`${JSON.stringify({ machine, quick: values.quick, sections }, null, 2)}\n`);
}
