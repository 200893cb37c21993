/** Implements `adapters test` and `adapters list`: what a webhook's mapping makes of a document, without a daemon. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Recipe } from '../../config/recipes.ts';
import type { Detection, HoldMode } from '../../core/types.ts';
import type { LoadedConfig } from '../../config/types.ts';
import type { AdapterSettings } from '../../intake/webhook/adapter-settings.ts';
import type { Adapter } from '../../intake/webhook/compile-adapter.ts';
import type { AdapterReading } from '../../intake/webhook/read-document.ts';
import type { FieldReading } from '../../intake/webhook/read-field.ts';
import type { Signal } from '../../intake/signal.ts';
import { countWords, cutText, errorText } from '../../net/text.ts';
import { timeText } from '../../net/time.ts';
import type { CliCommand } from '../command.ts';
import { CliError, type CommandContext, Exit, readInput } from '../command-context.ts';
import { drawingFor, fitted } from '../drawing.ts';
import { folderOf, offlineConfig } from '../offline-config.ts';
import { type Column, json, printable, table } from '../tables.ts';

/** Most events of one document that are shown. */
const MAX_EVENTS = 10_000;

/** A webhook of prefixd.yaml. */
type ConfiguredWebhook = LoadedConfig['webhooks'] extends ReadonlyMap<string, infer One> ? One : never;

interface AdaptersOptions {
  readonly config?: string;
}

const CONFIG = [
  '-c, --config <dir>',
  'configuration folder with the webhooks (default: PREFIXD_CONFIG, or only the bundled recipes)',
] as const;

export function registerAdapters(
  program: CliCommand,
  contextFor: (command: Command) => CommandContext,
): void {
  const adapters = program
    .command('adapters')
    .description("map other systems' JSON to events (detectors.webhooks)")
    .examples('prefixd adapters list', 'prefixd adapters test kentik sample.json');
  adapters
    .command('test <name> <file>')
    .description('show which events a webhook makes of a document')
    .details(
      'Reads a file of JSON or of JSON lines ("-" for standard input). Shows what each path gave, and the event or the problem.',
      'Needs no daemon and no secrets, and reports nothing. A name that is not configured is looked up among the bundled recipes.',
    )
    .option(...CONFIG)
    .examples(
      'prefixd adapters test kentik alarm.json --config /etc/prefixd',
      'curl -s localhost:8123 -d @query.sql | prefixd adapters test akvorado -',
    )
    .action(async (name: string, file: string, options: AdaptersOptions, command: Command) => {
      await testAdapter(contextFor(command), name, file, options);
    });
  adapters
    .command('list')
    .description('list the configured webhooks and the bundled recipes')
    .option(...CONFIG)
    .examples('prefixd adapters list --config /etc/prefixd')
    .action(async (options: AdaptersOptions, command: Command) => {
      await listAdapters(contextFor(command), options);
    });
}

async function configured(
  context: CommandContext,
  { config }: AdaptersOptions,
): Promise<ReadonlyMap<string, ConfiguredWebhook>> {
  if (folderOf(context, config) === undefined) return new Map();
  return (await offlineConfig(context, config)).webhooks;
}

/** A mapping with its origin. */
interface FoundMapping {
  readonly mapping: AdapterSettings;
  /** File of the recipe; undefined for a configured webhook. */
  readonly recipe: string | undefined;
}

async function findMapping(
  name: string,
  webhooks: ReadonlyMap<string, ConfiguredWebhook>,
): Promise<FoundMapping> {
  const webhook = webhooks.get(name);
  if (webhook !== undefined) return { mapping: webhook.mapping, recipe: undefined };
  const recipes = await bundled();
  const recipe = recipes.find((one) => one.name === name);
  if (recipe === undefined) {
    const known = [...new Set([...webhooks.keys(), ...recipes.map((one) => one.name)])].join(', ');
    throw new CliError(Exit.NotFound, `there is no webhook or recipe "${printable(name)}"; known: ${known}`);
  }
  const { mappingOf } = await import('../../config/validate/webhook-checks.ts');
  return { mapping: mappingOf(recipe.entry), recipe: recipe.file };
}

async function bundled(): Promise<readonly Recipe[]> {
  return (await import('../../config/recipes.ts')).readRecipes();
}

async function testAdapter(
  context: CommandContext,
  name: string,
  file: string,
  options: AdaptersOptions,
): Promise<void> {
  const [{ adapterOf }, { nothingSelected, readPart, selectParts }, { holdModeOf }] = await Promise.all([
    import('../../intake/webhook/compile-adapter.ts'),
    import('../../intake/webhook/read-document.ts'),
    import('../../core/state/holds.ts'),
  ]);
  const folder = folderOf(context, options.config);
  const config = folder === undefined ? undefined : await offlineConfig(context, options.config);
  const { mapping, recipe } = await findMapping(name, config?.webhooks ?? new Map());
  const adapter = adapterOf(name, mapping);
  const document = parseDocument(file, await contentOf(context, file));
  const parts = selectParts(adapter, document, MAX_EVENTS);
  if (!parts.ok) throw new CliError(Exit.InvalidInput, `${file}: ${parts.error.message}`);
  const readings = parts.value.flatMap((part) => readPart(adapter, part, config?.vectorMaps, MAX_EVENTS));
  const holdOf = (detection: Detection): HoldMode | undefined =>
    config === undefined || recipe !== undefined || detection.action === 'unban'
      ? undefined
      : holdModeOf(detection, config.policy, undefined);
  if (context.options.format === 'json') {
    const events = readings.map(readingJson);
    const nothing = readings.length === 0 ? { why: nothingSelected(adapter) } : {};
    context.io.stdout.write(
      json({ webhook: name, recipe: recipe ?? null, each: adapter.each.text, events, ...nothing }),
    );
  } else {
    if (recipe !== undefined) context.io.stderr.write(`note: ${name} is not configured; using ${recipe}\n`);
    context.io.stdout.write(
      readings.length === 0
        ? fitted(context, `${nothingSelected(adapter)}\n`)
        : readings
            .map((one, i) =>
              readingText(context, adapter, one, { number: i + 1, of: readings.length, holdOf }),
            )
            .join('\n'),
    );
  }
  const invalid = readings.filter(({ signal }) => signal.kind === 'invalid').length;
  if (invalid > 0) {
    const words = countWords(invalid, 'event', 'events');
    throw new CliError(Exit.InvalidInput, `${words} of ${readings.length} cannot be read`);
  }
}

async function contentOf(context: CommandContext, file: string): Promise<string> {
  if (file === '-') return readInput(context.io);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new CliError(Exit.InvalidInput, `cannot read ${file}: ${errorText(error)}`);
  }
}

/** Parses JSON, or JSON lines as a list. */
function parseDocument(file: string, content: string): unknown {
  const whole = parsed(content);
  if (whole.ok) return whole.value;
  const lines = content.split('\n').filter((line) => line.trim() !== '');
  const values = lines.map(parsed);
  if (lines.length > 1 && values.every(({ ok }) => ok)) return values.map(({ value }) => value);
  throw new CliError(Exit.InvalidInput, `${file} is neither JSON nor JSON lines: ${printable(whole.why)}`);
}

function parsed(text: string): { readonly ok: boolean; readonly value: unknown; readonly why: string } {
  try {
    return { ok: true, value: JSON.parse(text), why: '' };
  } catch (error) {
    return { ok: false, value: undefined, why: errorText(error) };
  }
}

/** The place of an event in its document, and how long its hold lasts; undefined if that is unknown or does not matter. */
interface ReadingPlace {
  readonly number: number;
  readonly of: number;
  readonly holdOf: (detection: Detection) => HoldMode | undefined;
}

function readingText(
  context: CommandContext,
  { each }: Adapter,
  { fields, event, signal }: AdapterReading,
  { number, of, holdOf }: ReadingPlace,
): string {
  const shown = fields.map((field) =>
    field.field === 'victim_ip' && field.values.length > 1 ? { ...field, values: [event.victim_ip] } : field,
  );
  const heading = `event ${number} of ${of}, from ${each.text}\n`;
  return `${heading}${table(COLUMNS, shown, drawingFor(context))}${fitted(context, signalText(signal, event.event_id, holdOf))}`;
}

const COLUMNS: readonly Column<FieldReading>[] = [
  { title: '  FIELD', value: ({ field }) => `  ${field}` },
  {
    title: 'VALUE',
    value: ({ values }) => (values.length === 0 ? '-' : values.map(shortly).join(', ')),
    least: 16,
  },
  { title: 'FROM', value: originText, least: 20 },
];

/** Returns `$.kind: "UDP Attack"`, `constant`, or why there is no value. */
function originText({ path, given, by, note }: FieldReading): string {
  if (note !== undefined) return note;
  if (by === 'constant') return 'constant';
  const gave = path === undefined ? 'no path gave a value' : `${path}: ${given.map(shortly).join(', ')}`;
  return by === 'otherwise' ? `otherwise; ${gave}` : gave;
}

function shortly(value: unknown): string {
  return cutText(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''), 80);
}

function signalText(signal: Signal, alarm: unknown, holdOf: ReadingPlace['holdOf']): string {
  switch (signal.kind) {
    case 'ignored':
      return `  ignored: ${printable(signal.why)}\n`;
    case 'invalid':
      return signal.problems
        .map(
          ({ path, message }) => `  invalid: ${printable(path === '' ? message : `${path}: ${message}`)}\n`,
        )
        .join('');
    case 'detection': {
      const { action, victim, vector, source, notes = [] } = signal.detection;
      const id = typeof alarm === 'string' ? `, alarm ${alarm}` : '';
      const hold = holdOf(signal.detection);
      const held = hold === undefined ? '' : `; hold: ${hold}`;
      const lines = [`${action} ${victim} ${vector} from ${source}${id}${held}`, ...notes];
      return lines.map((line, i) => `  ${i === 0 ? '=> ' : 'note: '}${printable(line)}\n`).join('');
    }
  }
}

function readingJson({ fields, event, signal }: AdapterReading): Readonly<Record<string, unknown>> {
  const { raw_details: _, ...fieldsOfEvent } = event;
  return {
    fields: fields.map(({ field, path, given, values, by, note }) => ({
      field,
      path: path ?? null,
      given,
      values,
      by,
      ...(note === undefined ? {} : { note }),
    })),
    event: fieldsOfEvent,
    result: resultJson(signal),
  };
}

function resultJson(signal: Signal): Readonly<Record<string, unknown>> {
  switch (signal.kind) {
    case 'ignored':
      return { kind: 'ignored', why: [signal.why] };
    case 'invalid':
      return { kind: 'invalid', problems: signal.problems };
    case 'detection': {
      const {
        externalId: _,
        at: __,
        beganAt,
        endedAt,
        details: ___,
        alertId = null,
        ...detection
      } = signal.detection;
      const time = beganAt ?? endedAt;
      return {
        kind: 'event',
        ...detection,
        alert_id: alertId,
        time: time === undefined ? null : timeText(time),
      };
    }
  }
}

async function listAdapters(context: CommandContext, options: AdaptersOptions): Promise<void> {
  const [webhooks, recipes] = await Promise.all([configured(context, options), bundled()]);
  const rows = [...webhooks.values()];
  if (context.options.format === 'json') {
    const shown = rows.map((one) => ({
      name: one.name,
      path: pathOf(one),
      auth: one.auth.kind,
      source: sourceOf(one),
      each: one.mapping.each,
    }));
    const files = recipes.map(({ name, file }) => ({ name, file }));
    context.io.stdout.write(json({ webhooks: shown, recipes: files }));
    return;
  }
  const drawing = drawingFor(context);
  const text = rows.length === 0 ? 'No webhooks are configured.\n' : table(WEBHOOKS, rows, drawing);
  context.io.stdout.write(`${text}\n${table(RECIPES, recipes, drawing)}`);
}

const WEBHOOKS: readonly Column<ConfiguredWebhook>[] = [
  { title: 'WEBHOOK', value: ({ name }) => name },
  { title: 'PATH', value: pathOf },
  { title: 'AUTH', value: ({ auth }) => authText(auth), least: 10 },
  { title: 'SOURCE', value: sourceOf, least: 10 },
  { title: 'EACH', value: ({ mapping }) => mapping.each, least: 10, optional: true },
];

const RECIPES: readonly Column<Recipe>[] = [
  { title: 'RECIPE', value: ({ name }) => name },
  { title: 'FILE', value: ({ file }) => file },
];

function pathOf({ name }: ConfiguredWebhook): string {
  return `/v1/signals/webhook/${name}`;
}

function sourceOf({ name, mapping }: ConfiguredWebhook): string {
  const { source = name } = mapping;
  return typeof source === 'string' ? source : String(source.constant ?? [source.path].flat()[0]);
}

function authText(auth: ConfiguredWebhook['auth']): string {
  switch (auth.kind) {
    case 'hmac':
      return `hmac ${auth.algorithm} in ${auth.header}`;
    case 'basic':
      return `basic as ${auth.user}`;
    case 'bearer':
      return auth.token === undefined ? 'bearer' : `bearer ${auth.token}`;
  }
}
