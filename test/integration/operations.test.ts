// What an operator's machines see of the real executable: probes that tell when it is ready, and numbers that move with
// what it does and tell nobody's names.

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { freePorts } from '../../hack/embedded/ports.ts';
import { installComponent } from '../support/components.ts';
import { type Controller, env, startController } from '../support/controller.ts';
import { startProxy } from '../support/proxy.ts';
import { configMapManifest, deploymentManifest, Scenario, until, V1, V2 } from '../support/scenario.ts';

interface Operations {
  readonly args: readonly string[];
  probe(path: string): Promise<{ readonly status: number; readonly text: string }>;
  scrape(): Promise<string>;
}

async function operations(): Promise<Operations> {
  const { probes, metrics } = await freePorts('probes', 'metrics');
  const get = async (port: number, path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } });
    return { status: response.status, text: await response.text() };
  };
  return {
    args: [`--health-probe-bind-address=127.0.0.1:${probes}`, `--metrics-bind-address=127.0.0.1:${metrics}`],
    probe: (path) => get(probes, path),
    scrape: async () => (await get(metrics, '/metrics')).text,
  };
}

/** The sum of all samples of that name whose labels say all this; of none, 0. */
function sum(text: string, name: string, ...labels: readonly string[]): number {
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  const matching = lines.filter((line) => labels.every((label) => line.includes(label)));
  return matching.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

describe('the metrics', () => {
  const VALUE = `planted-${randomBytes(9).toString('hex')}`;
  const OWNED = { annotations: { 'configrollout.dev/owners': 'deployment/planted-workload' } };
  let uninstall: () => Promise<void>;
  let controller: Controller;
  let scenario: Scenario;
  let asked: Operations;

  beforeAll(async () => {
    uninstall = await installComponent('secrets');
    scenario = await Scenario.start('operations');
    asked = await operations();
    const only = ['--secrets', '--namespaces', scenario.namespace];
    controller = await startController({ args: [...asked.args, ...only], admission: true });
    const secretMount = [{ name: 'secret', secret: { secretName: 'planted-secret' } }];
    const volumes = [{ name: 'config', configMap: { name: 'planted-source' } }, ...secretMount];
    await scenario.apply(
      configMapManifest('planted-source', V1, OWNED),
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'planted-secret', ...OWNED }, stringData: { key: VALUE } },
      deploymentManifest('planted-workload', 'planted-source', { template: { spec: { volumes } } }),
    );
    await scenario.runsWith(V1, 'planted-workload');
    await scenario.quiet();
  });
  afterAll(async () => {
    expect(await controller.stop()).toBe(0);
    await uninstall();
  });

  test('count a rollout for each change', async () => {
    const count = (text: string) => sum(text, 'config_rollout_rollouts_total', 'kind="Deployment"');
    const before = await asked.scrape();
    await scenario.edit(V2, 'planted-source');
    await scenario.runsWith(V2, 'planted-workload');
    await until('the rollout is counted', async () => count(await asked.scrape()) === count(before) + 1);
    await scenario.quiet();
    const after = await asked.scrape();
    expect(count(after)).toBe(count(before) + 1);
    const rollouts = 'config_rollout_rollouts_total';
    for (const kind of ['StatefulSet', 'DaemonSet', 'Rollout']) expect(sum(after, rollouts, `kind="${kind}"`)).toBe(0);
    const created = (text: string) => sum(text, 'config_rollout_snapshots_created_total', 'kind="ConfigMap"');
    expect(created(after)).toBe(created(before) + 1);
  });

  test('count what there is', async () => {
    const text = await asked.scrape();
    expect(sum(text, 'config_rollout_managed_workloads', 'kind="Deployment"')).toBe(1);
    expect(sum(text, 'config_rollout_snapshots', 'kind="ConfigMap"')).toBe(2);
    expect(sum(text, 'config_rollout_snapshots', 'kind="Secret"')).toBe(1);
    expect(sum(text, 'config_rollout_build_info')).toBe(1);
  });

  test('show every controller and its queue at work, and idle afterwards', async () => {
    const text = await until('all that was added is done', async () => {
      const seen = await asked.scrape();
      return sum(seen, 'workqueue_work_duration_seconds_count') === sum(seen, 'workqueue_adds_total') && seen;
    });
    for (const controller of ['source', 'workload', 'snapshot']) {
      const label = `controller="${controller}"`;
      expect(sum(text, 'controller_runtime_reconcile_total', label, 'result="success"')).toBeGreaterThan(0);
      expect(sum(text, 'controller_runtime_reconcile_time_seconds_count', label)).toBeGreaterThan(0);
      expect(sum(text, 'controller_runtime_max_concurrent_reconciles', label)).toBe(8);
      expect(sum(text, 'workqueue_adds_total', label)).toBeGreaterThan(0);
    }
    expect(sum(text, 'workqueue_depth')).toBe(0);
    expect(sum(text, 'workqueue_unfinished_work_seconds')).toBe(0);
    expect(sum(text, 'controller_runtime_active_workers')).toBe(0);
  });

  test('count requests, answers and Events', async () => {
    const text = await asked.scrape();
    expect(sum(text, 'rest_client_requests_total', 'code="200"', 'method="GET"')).toBeGreaterThan(0);
    expect(sum(text, 'rest_client_requests_total', 'code="200"', 'method="PATCH"')).toBeGreaterThan(0);
    expect(sum(text, 'rest_client_request_duration_seconds_count', 'verb="PATCH"')).toBeGreaterThan(0);
    expect(sum(text, 'config_rollout_admission_requests_total', 'path="/mutate"')).toBeGreaterThan(0);
    expect(sum(text, 'config_rollout_admission_requests_total', 'result="error"')).toBe(0);
    expect(sum(text, 'config_rollout_events_total', 'reason="ConfigRolledOut"')).toBeGreaterThan(0);
  });

  test('say nobody’s name, namespace or content', async () => {
    const text = await asked.scrape();
    expect(text).not.toContain(scenario.namespace);
    expect(text).not.toContain('planted');
    expect(text).not.toContain(VALUE.slice(8));
    expect(text).not.toContain(Buffer.from(VALUE).toString('base64').slice(0, 24));
  });
});

describe('the probes', () => {
  test('are not ready before the caches are complete, and alive all the time', async () => {
    const proxy = await startProxy(env('TEST_CONTROLLER_KUBECONFIG'), (path, content) =>
      writeFileSync(path, content, { mode: 0o600 }),
    );
    proxy.cut();
    const asked = await operations();
    const starting = startController({ kubeconfig: proxy.kubeconfig, args: asked.args, admission: false });
    await until('the probes are served', async () => (await asked.probe('/healthz')).status === 200);
    const early = await asked.probe('/readyz');
    expect(early.status).toBe(503);
    expect(early.text).toMatch(/^\[-\]caches failed: .*configmaps/m);
    proxy.heal();
    const controller = await starting;
    await until('it is ready', async () => (await asked.probe('/readyz')).status === 200);
    expect((await asked.probe('/readyz?verbose')).text).toContain('[+]caches ok');
    expect((await asked.probe('/healthz')).text).toBe('ok');
    expect(await controller.stop()).toBe(0);
    await proxy.close();
    await expect(asked.probe('/healthz')).rejects.toThrow();
  });

  test('that cannot be served end the controller, which says why', async () => {
    const taken = net.createServer().listen(0, '127.0.0.1');
    await until('the port is taken', async () => taken.listening);
    const { port } = taken.address() as net.AddressInfo;
    const args = [`--metrics-bind-address=127.0.0.1:${port}`];
    await expect(startController({ args, admission: false })).rejects.toThrow(
      `--metrics-bind-address: cannot listen on 127.0.0.1:${port}: something else listens there (EADDRINUSE)`,
    );
    await new Promise((resolve) => taken.close(resolve));
  });
});
