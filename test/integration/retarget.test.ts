// Templates that come to name other sources, or the same source in other places; and undos across that.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findReferences } from '../../controller/core/references.ts';
import type { Reference } from '../../controller/core/types.ts';
import { installComponent } from '../support/components.ts';
import { type Controller, startController } from '../support/controller.ts';
import { configMapManifest, Scenario, sleep, until } from '../support/scenario.ts';
import { atRest, content, DEPLOYMENT, STATEFUL_SET, Subject } from '../support/workload-kinds.ts';

// biome-ignore lint/suspicious/noExplicitAny: manifests, as JSON
type Json = any;

let controller: Controller;
beforeAll(async () => {
  controller = await startController();
});
afterAll(async () => {
  expect(await controller.stop()).toBe(0);
});

/** A ConfigMap that opts in `subject`, whose content is `<name> <version>`. */
function declared(subject: Subject, name: string, version: string): Json {
  const annotations = { 'configrollout.dev/owners': subject.ref };
  return configMapManifest(name, content(`${name} ${version}`), { annotations });
}

const volumes = (...names: readonly string[]) =>
  names.map((name, i) => ({ name: i === 0 ? 'config' : `more${i}`, configMap: { name } }));

/** The file `config.yml` of a ConfigMap or a Secret. */
async function fileOf(scenario: Scenario, { kind, name }: Reference): Promise<string> {
  const { data, immutable } = await scenario.get(`/api/v1/namespaces/NS/${kind.toLowerCase()}s/${name}`);
  const text = kind === 'Secret' ? Buffer.from(data['config.yml'], 'base64').toString() : data['config.yml'];
  return `${text}${immutable === true ? '' : ', raw'}`;
}

/** Waits until all is rolled out, and the template and all pods read these contents, place by place. */
async function reads(subject: Subject, ...expected: readonly string[]): Promise<void> {
  const read = (podSpec: Json) =>
    Promise.all(findReferences({ spec: podSpec }).map((reference) => fileOf(subject.scenario, reference)));
  await until(`${subject.ref} reads ${expected}`, async () => {
    const workload = await subject.read();
    if (!subject.is.isComplete(workload)) throw new Error('not complete');
    const pods = (await subject.pods()).map(({ spec }) => withoutToken(spec));
    for (const spec of [workload.spec.template.spec, ...pods]) {
      const seen = await read(spec);
      if (seen.join() !== expected.join()) throw new Error(`it reads ${seen}`);
    }
    return pods.length === subject.is.pods;
  });
}

// Each pod is given a volume with its token, and the certificate of the cluster in a ConfigMap.
function withoutToken(spec: Json): Json {
  return { ...spec, volumes: spec.volumes.filter(({ name }: Json) => !name.startsWith('kube-api-access')) };
}

describe.each([DEPLOYMENT, STATEFUL_SET])('$kind', (is) => {
  test('names another source: undo brings the first one back, as it ran, whatever became of it', async () => {
    const subject = new Subject(is, await Scenario.start(`renamed-${is.resource}`));
    const { scenario } = subject;
    await scenario.apply(declared(subject, 'foo', 'v1'), declared(subject, 'other', 'v1'), subject.manifest());
    await reads(subject, 'foo v1');
    await scenario.edit(content('foo v2'));
    await reads(subject, 'foo v2');
    await subject.atRest(2);

    await scenario.apply(subject.manifest({ source: 'other' }));
    await reads(subject, 'other v1');
    await atRest([subject], [3], 'other');
    const { number } = await subject.latest();
    // Nobody reads it: no rollout.
    await scenario.edit(content('foo v3'));
    await scenario.quiet();
    expect(await subject.revisions()).toHaveLength(3);

    await subject.undo();
    await reads(subject, 'foo v2');
    await scenario.quiet();
    await reads(subject, 'foo v2');
    await scenario.edit(content('foo v4'));
    await reads(subject, 'foo v4');
    await subject.atRest(4);
    await subject.undo(number);
    await reads(subject, 'other v1');
    // By name, the content of now.
    await scenario.edit(content('foo v5'));
    await sleep(1000);
    await scenario.apply(subject.manifest());
    await reads(subject, 'foo v5');
  });

  test('drops a source and takes up another, in one apply; undo brings the dropped one back', async () => {
    const subject = new Subject(is, await Scenario.start(`swapped-${is.resource}`));
    const { scenario } = subject;
    const sources = ['foo', 'more', 'extra'].map((name) => declared(subject, name, 'v1'));
    await scenario.apply(...sources, subject.manifest({ podSpec: { volumes: volumes('foo', 'more') } }));
    await reads(subject, 'foo v1', 'more v1');
    await subject.atRest(1);
    const [first] = await subject.revisions();

    await scenario.apply(subject.manifest({ podSpec: { volumes: volumes('foo', 'extra') } }));
    await reads(subject, 'foo v1', 'extra v1');
    const revisions = await subject.atRest(2);
    expect(revisions[1]?.mount).toBe(first?.mount);
    await atRest([subject], [2], 'extra');

    await scenario.edit(content('more v2'), 'more');
    await scenario.quiet();
    expect(await subject.revisions()).toHaveLength(2);
    await subject.undo();
    await reads(subject, 'foo v1', 'more v1');
    await scenario.quiet();
    await reads(subject, 'foo v1', 'more v1');
    await scenario.edit(content('extra v2'), 'extra');
    await scenario.quiet();
    await subject.undo();
    await reads(subject, 'foo v1', 'extra v1');
    await scenario.edit(content('foo v2'));
    await reads(subject, 'foo v2', 'extra v1');
    await scenario.edit(content('extra v3'), 'extra');
    await reads(subject, 'foo v2', 'extra v3');
  });

  test('names one source in every way: all change together, and an undo takes all of them back', async () => {
    const subject = new Subject(is, await Scenario.start(`mixed-${is.resource}`));
    const { scenario } = subject;
    const key = { name: 'foo', key: 'config.yml' };
    const container = { name: 'app', image: 'app:1', env: [{ name: 'ONE', valueFrom: { configMapKeyRef: key } }] };
    const podSpec = {
      volumes: [...volumes('foo'), { name: 'projected', projected: { sources: [{ configMap: { name: 'foo' } }] } }],
      initContainers: [{ name: 'init', image: 'init:1', envFrom: [{ configMapRef: { name: 'foo' } }] }],
      containers: [{ ...container, envFrom: [{ configMapRef: { name: 'foo' } }] }],
    };
    const all = (version: string) => Array<string>(5).fill(`foo ${version}`);
    await scenario.apply(declared(subject, 'foo', 'v1'), subject.manifest({ podSpec }));
    await reads(subject, ...all('v1'));
    await scenario.edit(content('foo v2'));
    await reads(subject, ...all('v2'));
    await subject.atRest(2);
    await subject.undo();
    await reads(subject, ...all('v1'));
    await subject.atRest(2);

    // One more place, by hand and by the source's name, while undone: it gets what the others have.
    const path = '/spec/template/spec/containers/0/env/-';
    const value = { name: 'TWO', valueFrom: { configMapKeyRef: key } };
    await scenario.kubectl(
      ...['patch', subject.ref, '--type=json', '-p'],
      JSON.stringify([{ op: 'add', path, value }]),
    );
    await reads(subject, ...all('v1'), 'foo v1');
    await subject.atRest(3);
    // Fewer places.
    await scenario.apply(subject.manifest());
    await reads(subject, 'foo v1');
    await subject.atRest(4);
    await subject.undo();
    await reads(subject, ...all('v1'), 'foo v1');
    await scenario.edit(content('foo v3'));
    await reads(subject, ...all('v3'), 'foo v3');
    await subject.atRest(5);
  });
});

describe.each([DEPLOYMENT, STATEFUL_SET])('a ConfigMap and a Secret of one name, in a $kind', (is) => {
  let uninstall: () => Promise<void>;
  const restart = async (args: readonly string[]) => {
    await controller.stop();
    controller = await startController({ args });
  };
  beforeAll(async () => {
    uninstall = await installComponent('secrets');
    await restart(['--secrets']);
  });
  afterAll(async () => {
    await restart([]);
    await uninstall();
  });

  test('each rolls by itself, both together when they change together; and an undo takes back just that', async () => {
    const subject = new Subject(is, await Scenario.start(`one-name-${is.resource}`));
    const { scenario } = subject;
    const map = (version: string) => declared(subject, 'foo', version);
    const secret = (version: string) => {
      const { data, ...rest } = declared(subject, 'foo', `hidden ${version}`);
      return { ...rest, kind: 'Secret', stringData: data };
    };
    const key = { name: 'foo', key: 'config.yml' };
    const env = [{ name: 'ONE', valueFrom: { secretKeyRef: key } }];
    const projected = { sources: [{ secret: { name: 'foo' } }, { configMap: { name: 'foo' } }] };
    const podSpec = {
      volumes: [...volumes('foo'), { name: 'secret', secret: { secretName: 'foo' } }, { name: 'both', projected }],
      containers: [{ name: 'app', image: 'app:1', env, envFrom: [{ configMapRef: { name: 'foo' } }] }],
    };
    // The places of the template, in order.
    const runs = (m: string, s: string) => {
      const [ofMap, ofSecret] = [`foo ${m}`, `foo hidden ${s}`];
      return reads(subject, ofMap, ofSecret, ofSecret, ofMap, ofMap, ofSecret);
    };
    await scenario.apply(map('m1'), secret('s1'), subject.manifest({ podSpec }));
    await runs('m1', 's1');
    await subject.atRest(1);
    await scenario.apply(secret('s2'));
    await runs('m1', 's2');
    await subject.atRest(2);
    await scenario.apply(map('m2'));
    await runs('m2', 's2');
    await subject.atRest(3);
    expect((await subject.history()).slice(1)).toEqual(['secret/foo: config.yml', 'configmap/foo: config.yml']);
    await subject.undo();
    await runs('m1', 's2');
    await subject.undo((await subject.revisions())[0]?.number);
    await runs('m1', 's1');
    await scenario.quiet();
    await runs('m1', 's1');
    await scenario.apply(map('m3'), secret('s3'));
    await runs('m3', 's3');
    await subject.atRest(4);
    expect(await subject.revisions()).toHaveLength(4);
    const said = JSON.stringify([controller.log, await scenario.list('/apis/events.k8s.io/v1/namespaces/NS/events')]);
    for (const version of ['s1', 's2', 's3']) {
      const value = `foo hidden ${version}`;
      expect(said).not.toContain(value);
      expect(said).not.toContain(Buffer.from(value).toString('base64'));
    }
    // The source of the one is gone: the other rolls on.
    await scenario.kubectl('delete', 'secret', 'foo');
    await scenario.apply(map('m4'));
    await runs('m4', 's3');
  });
});
