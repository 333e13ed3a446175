// The alerts and the dashboard of manifests/components/monitoring ask only for metrics and labels that there are: a name
// with a slip in it makes an alert that never fires, and nobody finds out.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { Metrics } from '../../controller/server/metrics.ts';

const FOLDER = 'manifests/components/monitoring';
const RUNBOOKS = 'https://github.com/config-rollout/config-rollout/blob/main/docs/operations.md#';

/** What Prometheus and its operator add to each series. */
const OF_TARGETS = ['job', 'namespace', 'pod', 'le'];
const WORDS = /^(and|or|unless|offset|bool|by|on|without|ignoring|group_left|group_right|\d.*)$/;

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}
interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
}

const none = { snapshots: () => [], managedWorkloads: () => [] };
const { registry } = new Metrics({ version: 'x', workloadKinds: [], sourceKinds: [], census: none });
/** Name → labels, of all series that can be asked for. */
const known = new Map(
  registry.getMetricsAsArray().flatMap((metric) => {
    // Its types do not tell that it has them.
    const labels = (Reflect.get(metric, 'labelNames') ?? []) as readonly string[];
    const suffixes = String(metric.type) === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    return suffixes.map((suffix) => [metric.name + suffix, labels] as const);
  }),
);

/** What is wrong with the names in an expression; it is no parser, but sees every name. */
function problemsOf(expr: string): string[] {
  const plain = expr.replace(/"[^"]*"/g, '""').replace(/\[[^\]]*\]/g, '');
  const grouped = [...plain.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(/, */));
  const bare = plain.replace(/\b(?:by|on) \([^)]*\)/g, '').replace(/\{[^}]*\}/g, '');
  const names = [...bare.matchAll(/\b[a-zA-Z_][\w:]*\b(?!\s*\()/g)].map(([name]) => name);
  const metrics = names.filter((name) => !WORDS.test(name));
  const labelsOf = (metric: string) => [...(known.get(metric) ?? []), ...OF_TARGETS];
  const matched = [...plain.matchAll(/([\w:]+)\{([^}]*)\}/g)].flatMap(([, metric = '', matchers = '']) =>
    [...matchers.matchAll(/(\w+) *(?:=~|!~|!=|=)/g)]
      .filter(([, label = '']) => !labelsOf(metric).includes(label))
      .map(([, label]) => `${metric} has no label ${label}`),
  );
  return [
    ...(metrics.length === 0 ? ['asks for nothing'] : []),
    ...metrics.filter((name) => !known.has(name)).map((name) => `there is no ${name}`),
    ...matched,
    ...grouped
      .filter((label) => !metrics.every((metric) => labelsOf(metric).includes(label)))
      .map((label) => `not all have ${label}`),
    ...metrics
      .filter((name) => !new RegExp(`\\b${name}\\{job="config-rollout"`).test(expr))
      .map((n) => `whose is ${n}?`),
  ];
}

const rules: readonly Alert[] = parse(readFileSync(`${FOLDER}/rules.yaml`, 'utf8')).spec.groups.flatMap(
  (group: { rules: Alert[] }) => group.rules,
);
const dashboard = JSON.parse(readFileSync(`${FOLDER}/dashboard.json`, 'utf8')) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly query: unknown }[] };
};
const queries = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map((target) => ({ title, ...target })));

/** The labels that are left of an expression, for templates. */
function labelsLeft(expr: string): string[] {
  return [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(/, */));
}

describe('an alert', () => {
  test('there is for each thing that can go wrong', () => {
    expect(rules.map(({ alert }) => alert)).toEqual([
      'ConfigRolloutDown',
      'ConfigRolloutNoLeader',
      'ConfigRolloutReconcileErrors',
      'ConfigRolloutForbidden',
      'ConfigRolloutQuotaExceeded',
      'ConfigRolloutQueueNotDraining',
      'ConfigRolloutSlowed',
      'ConfigRolloutAdmissionFails',
      'ConfigRolloutSnapshotsGrow',
    ]);
  });

  test.each(rules)('$alert asks for what there is', ({ expr }) => {
    expect(problemsOf(expr)).toEqual([]);
  });

  test.each(rules)('$alert says how bad it is, what it is, and what to do', ({ alert, expr, labels, annotations }) => {
    expect(labels['severity']).toMatch(/^(critical|warning)$/);
    const { summary = '', description = '', runbook_url } = annotations;
    expect(summary).toMatch(/^[A-Zc{].*\.$/);
    expect(description).toMatch(/^[A-Z].*\.$/);
    // As GitHub makes an anchor of a heading.
    expect(runbook_url).toBe(RUNBOOKS + alert.toLowerCase());
    const used = [...`${summary}${description}`.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label);
    for (const label of used) expect(labelsLeft(expr)).toContain(label);
  });
});

describe('the dashboard', () => {
  test.each(queries)('asks for what there is, for $title ($legendFormat)', ({ expr, legendFormat }) => {
    const narrowed = expr.replaceAll(', namespace=~"$namespace"', '');
    expect(narrowed).not.toBe(expr);
    expect(problemsOf(narrowed)).toEqual([]);
    const used = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
    const left = /\bby \(/.test(expr) ? labelsLeft(expr) : OF_TARGETS;
    for (const label of used) expect(left).toContain(label);
  });

  test('shows every metric of ours', () => {
    const asked = queries.map(({ expr }) => expr).join('\n');
    const ours = [...known.keys()].map((name) => name.replace(/_(bucket|sum|count)$/, ''));
    const unseen = new Set(ours.filter((name) => name.startsWith('config_rollout_') && !asked.includes(name)));
    // Its labels are the choice of the namespace.
    expect([...unseen]).toEqual(['config_rollout_build_info']);
    expect(JSON.stringify(dashboard.templating)).toContain('config_rollout_build_info');
  });

  test('has no panel on top of another, and none outside', () => {
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) => {
      expect(x + w).toBeLessThanOrEqual(24);
      return Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`);
    });
    expect(new Set(cells).size).toBe(cells.length);
  });
});

test.each([
  ['config_rollout_typos_total{job="config-rollout"}', 'there is no config_rollout_typos_total'],
  ['workqueue_depth{job="config-rollout", kind="x"}', 'workqueue_depth has no label kind'],
  ['sum by (kind) (workqueue_depth{job="config-rollout"})', 'not all have kind'],
  ['sum(workqueue_depth)', 'whose is workqueue_depth?'],
  ['rate(workqueue_work_duration_seconds{job="config-rollout"}[5m])', 'there is no workqueue_work_duration_seconds'],
  ['vector(1)', 'asks for nothing'],
])('%s is found wrong', (expr, problem) => {
  expect(problemsOf(expr)).toEqual([problem]);
});
