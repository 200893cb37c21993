import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { packaged } from '../../packaging/files.ts';
import { findProgram } from '../../support/children.ts';
import { missingProgram } from '../../support/daemons.ts';
import { daemonMetrics, everySeries } from '../../support/metrics-sample.ts';

/** Reports violations of Prometheus' naming practices as `promtool check metrics` does, one line each. */
function objections(text: string): readonly string[] {
  const found: string[] = [];
  const types = new Map<string, string>();
  const helped = new Set<string>();
  for (const line of text.split('\n')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
    if (kind === 'HELP' && rest.trim() !== '') helped.add(name);
    if (kind === 'TYPE') types.set(name, rest);
    const [, series = '', labels = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (series === '') continue;
    const base = types.has(series) ? series : series.replace(/_(bucket|sum|count)$/, '');
    const type = types.get(base) ?? 'untyped';
    const has = (label: string): boolean => new RegExp(`(^|,)${label}="`).test(labels);
    if (has('quantile') && type !== 'summary') found.push(`${series}: quantile, and no summary`);
    if (has('le') && type !== 'histogram') found.push(`${series}: le, and no histogram`);
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) {
      if (/[a-z][A-Z]/.test(label)) found.push(`${series}: label ${label} is camelCase`);
    }
  }
  for (const [name, type] of types) {
    const words = name.split('_');
    if (!helped.has(name)) found.push(`${name}: no help text`);
    if (type === 'untyped') found.push(`${name}: no type`);
    if (type === 'counter' && words.at(-1) !== 'total') found.push(`${name}: a counter without _total`);
    if (type !== 'counter' && words.at(-1) === 'total') found.push(`${name}: _total, and no counter`);
    if (type !== 'histogram' && words.at(-1) === 'bucket') found.push(`${name}: _bucket, and no histogram`);
    if (!['histogram', 'summary'].includes(type) && ['count', 'sum'].includes(words.at(-1) ?? '')) {
      found.push(`${name}: _count or _sum, and neither histogram nor summary`);
    }
    for (const word of ['gauge', 'counter', 'histogram', 'summary']) {
      if (words.includes(word)) found.push(`${name}: its type is in its name`);
    }
    for (const unit of [
      'ms',
      's',
      'sec',
      'us',
      'kb',
      'mb',
      'milliseconds',
      'minutes',
      'hours',
      'bits',
      'kilobytes',
    ]) {
      if (words.includes(unit)) found.push(`${name}: ${unit} is no base unit`);
    }
    if (name.includes(':')) found.push(`${name}: a colon is for recording rules`);
    if (/[a-z][A-Z]/.test(name)) found.push(`${name}: camelCase`);
  }
  return found;
}

/** Returns promtool's complaints about a text on its standard input; empty if there are none. */
function promtool(args: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(findProgram('promtool') ?? 'promtool', args, (error, stdout, stderr) => {
      if (error !== null && error.code === 'ENOENT') reject(error);
      else resolve(error === null ? stderr : `${error.message} ${stdout}${stderr}`);
    });
    child.stdin?.end(input);
  });
}

describe('the metrics of a daemon', () => {
  let folder = '';
  let texts: readonly string[] = [];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'prefixd-metrics-'));
    texts = [await daemonMetrics(folder), await everySeries()];
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('keep to the naming practices of Prometheus', () => {
    for (const text of texts) assert.deepEqual(objections(text), []);
  });

  it('are accepted by promtool check metrics', {
    skip: missingProgram('promtool', 'prometheus'),
  }, async () => {
    for (const text of texts) assert.equal(await promtool(['check', 'metrics'], text), '');
  });

  it('have alert rules that promtool accepts', {
    skip: missingProgram('promtool', 'prometheus'),
  }, async () => {
    assert.equal(await promtool(['check', 'rules', packaged('prometheus/prefixd.rules.yaml')], ''), '');
  });

  it('tell the delay of the event loop as a summary: quantiles, sum and count', () => {
    for (const text of texts) {
      assert.match(text, /^# TYPE prefixd_event_loop_delay_seconds summary$/m);
      for (const quantile of ['0.5', '0.99', '1']) {
        assert.match(
          text,
          new RegExp(`^prefixd_event_loop_delay_seconds\\{quantile="${quantile}"\\} [\\d.e-]+$`, 'm'),
        );
      }
      assert.match(text, /^prefixd_event_loop_delay_seconds_sum [\d.e-]+$/m);
      assert.match(text, /^prefixd_event_loop_delay_seconds_count \d+$/m);
    }
  });

  it('are objected to by the same rules when they are wrong', () => {
    const wrong = [
      '# TYPE runs counter\nruns 1',
      '# HELP open_total x\n# TYPE open_total gauge\nopen_total 1',
      '# HELP a_ms x\n# TYPE a_ms gauge\na_ms{quantile="1",camelCase="x"} 1',
    ];
    assert.deepEqual(wrong.map(objections), [
      ['runs: no help text', 'runs: a counter without _total'],
      ['open_total: _total, and no counter'],
      ['a_ms: quantile, and no summary', 'a_ms: label camelCase is camelCase', 'a_ms: ms is no base unit'],
    ]);
  });
});
