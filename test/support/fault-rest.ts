// Is everything as it has to be once all is quiet? The promises, asked of one source and its workloads.

import { OWN_CAUSE_ANNOTATION } from '../../controller/core/names.ts';
import { findReferences } from '../../controller/core/references.ts';
import type { SourceKind } from '../../controller/core/types.ts';
import { admin } from './scenario.ts';
import type { Subject } from './workload-kinds.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API server, read as they come
type Json = any;

export interface Expected {
  readonly namespace: string;
  readonly subjects: readonly Subject[];
  readonly sourceKind: SourceKind;
  /** What the workloads mount, as the API server has it in `data`. */
  readonly mounted: string;
  readonly revisions: number;
  /** The number of the newest revision, by workload, where it is known. */
  readonly numbers: ReadonlyMap<string, number>;
  /** What the ConfigRollouts say; undefined: there need not be any. */
  readonly state: 'Current' | 'RolledBack' | undefined;
}

export interface Look {
  /** Empty when all is as it has to be. */
  readonly wrong: readonly string[];
  /** Of the newest revision, by workload. */
  readonly numbers: ReadonlyMap<string, number>;
}

type Findings = readonly (readonly [isWrong: boolean, what: string])[];

export const RESOURCES = { ConfigMap: 'configmaps', Secret: 'secrets' } as const;
const CONFIG_ROLLOUTS = 'configrollout.dev/v1alpha1';

export async function look(expected: Expected): Promise<Look> {
  const workloads = await Promise.all(expected.subjects.map((subject) => subject.read()));
  const numbers = new Map<string, number>();
  // Looked at many times a second, while there is nothing else to see yet.
  const underWay = of(
    expected.subjects.flatMap(({ is, ref }, i) => progress(expected, ref, is.isComplete, workloads[i])),
  );
  if (underWay.length > 0) return { wrong: underWay, numbers };
  const snapshots = await snapshotsIn(expected.namespace, expected.sourceKind);
  const holders = new Map<string, string[]>();
  const findings: (readonly [boolean, string])[] = [];
  for (const [i, subject] of expected.subjects.entries()) {
    const revisions = await revisionsOf(expected, subject, workloads[i].metadata.uid);
    const held = [{ mount: mountedBy(expected, workloads[i].spec.template), holder: holderOf(subject, workloads[i]) }];
    for (const { mount, holder } of [...held, ...revisions])
      holders.set(mount, [...(holders.get(mount) ?? []), holder]);
    const newest = Math.max(...revisions.map(({ number }) => number));
    numbers.set(subject.ref, newest);
    const due = expected.numbers.get(subject.ref) ?? newest;
    findings.push(
      [
        revisions.length !== expected.revisions,
        `${subject.ref} has ${revisions.length}, not ${expected.revisions} revisions`,
      ],
      [newest !== due, `${subject.ref} is at revision ${newest}, not ${due}`],
      ...(await status(expected, subject)),
    );
  }
  findings.push(...owners(snapshots, holders), ...(await content(expected, snapshots, workloads)));
  return { wrong: of(findings), numbers };
}

export async function snapshotsIn(namespace: string, kind: SourceKind): Promise<Json[]> {
  const { items } = await admin().request<Json>('GET', `/api/v1/namespaces/${namespace}/${RESOURCES[kind]}`);
  return items.filter(({ metadata }: Json) => metadata.annotations?.['configrollout.dev/source-name'] === 'foo');
}

function of(findings: Findings): string[] {
  return findings.filter(([isWrong]) => isWrong).map(([, what]) => what);
}

function progress(expected: Expected, ref: string, isComplete: (workload: Json) => boolean, workload: Json): Findings {
  return [
    [workload.status === undefined || !isComplete(workload), `${ref} is not complete`],
    [mountedBy(expected, workload.spec.template) === 'foo', `${ref} names the source`],
    [workload.metadata.annotations?.[OWN_CAUSE_ANNOTATION] !== undefined, `${ref} still has a cause`],
  ];
}

function content({ sourceKind, mounted }: Expected, snapshots: readonly Json[], workloads: readonly Json[]): Findings {
  return workloads.map(({ kind, spec }) => {
    const name = mountedBy({ sourceKind }, spec.template);
    const found = snapshots.find(({ metadata }) => metadata.name === name);
    return [
      found?.data?.['config.yml'] !== mounted,
      `${kind} mounts ${name}, which is not the content that it should have`,
    ];
  });
}

/** Each snapshot is owned by those that mount it, and by nobody else, and each that is mounted is there. */
function owners(snapshots: readonly Json[], holders: ReadonlyMap<string, readonly string[]>): Findings {
  const names = new Set(snapshots.map(({ metadata }) => metadata.name));
  const lost = [...holders.keys()].map((name) => [!names.has(name), `${name}, which is mounted, is lost`] as const);
  const owned = snapshots.map(({ metadata: { name, ownerReferences = [] } }) => {
    const actual = ownerReferences.map((owner: Json) => `${owner.kind} ${owner.uid}`).sort();
    const due = [...(holders.get(name) ?? [])].sort();
    return [actual.join() !== due.join(), `${name} is owned by [${actual}], not by [${due}]`] as const;
  });
  const mutable = snapshots.map((each) => [each.immutable !== true, `${each.metadata.name} is mutable`] as const);
  return [...lost, ...owned, ...mutable];
}

async function status({ namespace, state }: Expected, { is, ref, name }: Subject): Promise<Findings> {
  if (state === undefined) return [];
  const path = `/apis/${CONFIG_ROLLOUTS}/namespaces/${namespace}/configrollouts`;
  const { items } = await admin().request<Json>('GET', path);
  const found = items.filter(({ spec: { workload } }: Json) => workload.kind === is.kind && workload.name === name);
  const ready = found[0]?.status?.conditions.find(({ type }: Json) => type === 'Ready');
  return [
    [found.length !== 1, `${ref} has ${found.length} ConfigRollouts`],
    [ready?.status !== 'True' || ready.reason !== state, `${ref} is said to be ${ready?.reason}, not ${state}`],
  ];
}

async function revisionsOf(expected: Expected, { is }: Subject, uid: string) {
  const path = `/apis/apps/v1/namespaces/${expected.namespace}/${is.revisions}`;
  const { items } = await admin().request<{ items: Json[] }>('GET', path);
  const kind = is.revisions === 'replicasets' ? 'ReplicaSet' : 'ControllerRevision';
  return items
    .filter(({ metadata }) => metadata.ownerReferences?.some((owner: Json) => owner.controller && owner.uid === uid))
    .map((revision) => ({
      number: is.numberOf(revision),
      mount: mountedBy(expected, is.templateOf(revision)),
      holder: `${kind} ${revision.metadata.uid}`,
    }));
}

function holderOf({ is }: Subject, { metadata }: Json): string {
  return `${is.kind} ${metadata.uid}`;
}

function mountedBy({ sourceKind }: Pick<Expected, 'sourceKind'>, template: Json): string {
  return findReferences(template).find(({ kind }) => kind === sourceKind)?.name ?? 'nothing';
}
