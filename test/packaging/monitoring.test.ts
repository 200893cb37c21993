import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { at, dataOf, list, textOf } from './files.ts';
import { daemonMetrics, everySeries } from '../support/metrics-sample.ts';

/** Names of metrics with the labels that their series have; those that Prometheus itself adds are in every series. */
type Exposed = ReadonlyMap<string, ReadonlySet<string>>;

const ADDED_BY_PROMETHEUS = ['instance', 'job'];

/** Reads the Prometheus text format. Metrics without series have no labels, and no others are invented. */
function exposed(text: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  const labels = (name: string): Set<string> => {
    const known = found.get(name) ?? new Set(ADDED_BY_PROMETHEUS);
    found.set(name, known);
    return known;
  };
  for (const line of text.split('\n')) {
    const [, named, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (named !== undefined) {
      const suffixes = type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
      for (const suffix of suffixes) labels(named + suffix);
    }
    const [, name, inside] = /^([a-z_]\w*)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (name === undefined) continue;
    for (const [, label = ''] of (inside ?? '').matchAll(/(\w+)="/g)) labels(name).add(label);
  }
  return found;
}

/** A daemon after some attacks, scraped, and what of the metrics its configuration leaves without series. */
async function scraped(folder: string): Promise<Exposed> {
  const names = exposed(await daemonMetrics(folder));
  for (const [name, labels] of exposed(await everySeries())) {
    for (const label of labels) names.get(name)?.add(label);
  }
  return names;
}

const OF_PROMETHEUS = new Set(['up']);

/** What an expression asks for: `name{label="x"}`, and the labels that it groups by. */
function asked(expression: string): { readonly metrics: readonly string[]; readonly labels: Set<string> } {
  const labels = new Set<string>();
  const bare = expression
    .replaceAll(/\{([^}]*)\}/g, (_, inside: string) => {
      for (const [, label = ''] of inside.matchAll(/(\w+)\s*(?:=~|!=|!~|=)/g)) labels.add(label);
      return ' ';
    })
    .replaceAll(/\b(?:by|on|without|ignoring) \(([^)]*)\)/g, (_, inside: string) => {
      for (const label of inside.split(',')) if (label.trim() !== 'le') labels.add(label.trim());
      return ' ';
    })
    .replaceAll(/\[[^\]]*\]/g, ' ');
  const metrics = [...bare.matchAll(/\b(?:(?:prefixd|process|nodejs)_\w+|up)\b/g)].map(([name]) => name);
  return { metrics, labels };
}

/** That every name and label of an expression is there; `shown` are labels that its text shows. */
function check(expression: string, known: Exposed, shown: readonly string[]): void {
  const { metrics, labels } = asked(expression);
  assert.ok(metrics.length > 0, `nothing of ours is in ${expression}`);
  const available = new Set(ADDED_BY_PROMETHEUS);
  for (const metric of metrics) {
    if (OF_PROMETHEUS.has(metric)) continue;
    const has = known.get(metric);
    assert.ok(has !== undefined, `there is no metric ${metric}: ${expression}`);
    for (const label of has) available.add(label);
  }
  for (const label of [...labels, ...shown]) {
    assert.ok(available.has(label), `there is no label ${label}: ${expression}`);
  }
}

describe('what is shipped for monitoring', () => {
  let folder = '';
  let known: Exposed = new Map();
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'prefixd-monitoring-'));
    known = await scraped(folder);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const alerts = list(at(dataOf('prometheus/prefixd.rules.yaml'), 'groups', 0, 'rules'));

  it('has alert rules over metrics and labels that the daemon has', () => {
    assert.ok(alerts.length >= 10);
    for (const alert of alerts) {
      const texts = Object.values(Object(at(alert, 'annotations'))).join(' ');
      const shown = [...texts.matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label);
      check(String(at(alert, 'expr')), known, shown);
    }
  });

  it('has alert rules of the form that Prometheus reads, each with a severity and a chapter of the runbook', () => {
    const headings = [...readFileSync('docs/runbook.md', 'utf8').matchAll(/^## (.*)$/gm)].map(
      ([, title = '']) =>
        title
          .toLowerCase()
          .replaceAll(' ', '-')
          .replaceAll(/[^\w-]/g, ''),
    );
    for (const alert of alerts) {
      const name = String(at(alert, 'alert'));
      assert.deepEqual(
        Object.keys(Object(alert)).filter(
          (key) => !['alert', 'expr', 'for', 'labels', 'annotations'].includes(key),
        ),
        [],
        name,
      );
      assert.match(String(at(alert, 'labels', 'severity')), /^(critical|warning|info)$/, name);
      assert.match(String(at(alert, 'for') ?? '0s'), /^\d+[smhd]$/, name);
      const [file, chapter = ''] = String(at(alert, 'annotations', 'runbook')).split('#');
      assert.equal(file, 'docs/runbook.md', name);
      assert.ok(headings.includes(chapter), `${name}: docs/runbook.md has no chapter ${chapter}`);
    }
    const names = alerts.map((alert) => at(alert, 'alert'));
    assert.equal(new Set(names).size, names.length);
  });

  it('has a dashboard over metrics and labels that the daemon has', () => {
    const panels = list(at(dataOf('grafana/prefixd.json'), 'panels'));
    assert.ok(panels.length >= 20);
    for (const panel of panels) {
      for (const target of list(at(panel, 'targets'))) {
        const shown = [...String(at(target, 'legendFormat')).matchAll(/\{\{(\w+)\}\}/g)];
        check(
          String(at(target, 'expr')),
          known,
          shown.map(([, label = '']) => label),
        );
      }
    }
  });

  it('has a dashboard that shows every metric of ours', () => {
    const text = textOf('grafana/prefixd.json');
    const missing = [...known.keys()].filter(
      (name) => name.startsWith('prefixd_') && !text.includes(name.replace(/_(bucket|sum|count)$/, '')),
    );
    // One for debugging by hand: how far the journal is, and two that alert rules use.
    assert.deepEqual(missing, [
      'prefixd_journal_seq',
      'prefixd_reconciliation_last_duration_seconds',
      'prefixd_reconciliation_last_run_timestamp_seconds',
    ]);
  });

  it('has a dashboard whose panels do not lie on one another', () => {
    const taken = new Set<string>();
    for (const panel of list(at(dataOf('grafana/prefixd.json'), 'panels'))) {
      const [x, y, w, h] = ['x', 'y', 'w', 'h'].map((key) => Number(at(panel, 'gridPos', key)));
      for (let row = y ?? 0; row < (y ?? 0) + (h ?? 0); row++) {
        for (let column = x ?? 0; column < (x ?? 0) + (w ?? 0); column++) {
          assert.ok(column < 24 && !taken.has(`${row} ${column}`), String(at(panel, 'title')));
          taken.add(`${row} ${column}`);
        }
      }
    }
  });
});
