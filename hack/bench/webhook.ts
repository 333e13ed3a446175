// The webhook, seen from two sides: as the API server counts it, and asked directly, as the API server asks it.

import { randomUUID } from 'node:crypto';
import { Agent } from 'node:https';
import type { KubeClient } from '../../controller/kube/client.ts';
import { readText, send } from '../../controller/runtime/http-exchange.ts';
import { type Percentiles, percentiles } from './measure.ts';

const NAME = 'workloads.configrollout.dev';
const CONFIGURATION = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/config-rollout';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API server, read as they come
type Json = any;

/** What the API server has counted of the webhook since it started. */
export interface WebhookCounts {
  /** Upper bound in ms → calls that took no longer. */
  readonly buckets: ReadonlyMap<number, number>;
  readonly rejected: number;
  /** Servers count these from 1.24 on. */
  readonly failedOpen: number;
}

export async function webhookCounts(client: KubeClient): Promise<WebhookCounts> {
  const text = await client.request<string>('GET', '/metrics', { accept: 'text/plain' });
  const lines = text.split('\n').filter((line) => line.includes(`name="${NAME}"`));
  const read = (metric: string) =>
    lines
      .filter((line) => line.startsWith(`apiserver_admission_webhook_${metric}{`))
      .map((line) => ({ line, value: Number(line.slice(line.lastIndexOf(' ') + 1)) }));
  const sum = (metric: string) => read(metric).reduce((total, { value }) => total + value, 0);
  const buckets = new Map<number, number>();
  for (const { line, value } of read('admission_duration_seconds_bucket')) {
    const seconds = /\ble="([^"]+)"/.exec(line)?.[1];
    const bound = seconds === '+Inf' ? Number.POSITIVE_INFINITY : Number(seconds) * 1000;
    buckets.set(bound, (buckets.get(bound) ?? 0) + value);
  }
  return { buckets, rejected: sum('rejection_count'), failedOpen: sum('fail_open_count') };
}

/** In ms, as far as a histogram knows them: evenly spread between two bounds, and never above the last. */
export function percentilesBetween(before: WebhookCounts, after: WebhookCounts): Percentiles & { calls: number } {
  const bounds = [...after.buckets.keys()].sort((a, b) => a - b);
  const counts = bounds.map((bound) => (after.buckets.get(bound) ?? 0) - (before.buckets.get(bound) ?? 0));
  const calls = counts.at(-1) ?? 0;
  const of = (quantile: number): number => {
    const rank = quantile * calls;
    const at = counts.findIndex((count) => count >= rank);
    const [lower = 0, upper = lower] = [bounds[at - 1], bounds[at]];
    const [below = 0, within = 0] = [counts[at - 1], counts[at]];
    return upper === Number.POSITIVE_INFINITY ? lower : lower + ((upper - lower) * (rank - below)) / (within - below);
  };
  return { ...percentiles(of), calls };
}

/** Asks as the API server would; gives the operations that the answer holds. Throws when it is none. */
export type Ask = (replaced: Json, object: Json) => Promise<readonly Json[]>;

export async function webhookItself(client: KubeClient, port: number): Promise<Ask> {
  const { service, caBundle } = (await client.request<Json>('GET', CONFIGURATION)).webhooks[0].clientConfig;
  const ca = Buffer.from(caBundle, 'base64').toString();
  const servername = `${service.name}.${service.namespace}.svc`;
  // As many connections as an API server keeps.
  const agent = new Agent({ keepAlive: true, maxSockets: 25, ca, servername });
  const url = new URL(`https://127.0.0.1:${port}${service.path}?timeout=2s`);
  return async (oldObject, object) => {
    const { namespace, name } = object.metadata;
    const kind = { group: 'apps', version: 'v1', kind: 'Deployment' };
    const options = { fieldManager: 'bench' };
    const asked = { kind, operation: 'UPDATE', namespace, name, object, oldObject, options };
    const request = { ...asked, uid: randomUUID(), dryRun: false, userInfo: { username: 'bench', groups: [] } };
    const body = JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request });
    const headers = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) };
    const answer = await send({ method: 'POST', url, headers, agent, body, signal: AbortSignal.timeout(2_000) });
    const text = await readText(answer);
    if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${text}`);
    const { response } = JSON.parse(text);
    if (response.allowed !== true) throw new Error(response.status?.message);
    return JSON.parse(Buffer.from(response.patch ?? '', 'base64').toString() || '[]');
  };
}
