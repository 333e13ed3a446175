import { describe, expect, test } from '@jest/globals';
import { refusal, type SnapshotChange } from '../../controller/core/protect-snapshot.ts';
import { aConfigMap, aRevision, aSnapshot, aWorkload, H2 } from '../support/builders.ts';

const before = aSnapshot();
const FOO1 = before.name;
const [one, two] = [1, 2].map((number) => aRevision({ number, mounts: [FOO1] }));

const refused = (change: Partial<SnapshotChange>) =>
  refusal({ before, after: undefined, revisions: one ? [one] : [], workloads: [], ...change });

const DELETED =
  'without it their pods cannot start. It goes with the last of them; to be rid of it sooner, delete those, or lower revisionHistoryLimit';
const CHANGED = 'its labels and annotations name that content, and have to stay as they are';

describe('a person may not', () => {
  test.each<[what: string, change: Partial<SnapshotChange>, says: string]>([
    ['delete it', {}, DELETED],
    ['take its marks away', { after: aConfigMap({ name: FOO1 }) }, CHANGED],
    ['give it another hash', { after: aSnapshot({ name: FOO1, hash: H2 }) }, CHANGED],
    ['give it to another source', { after: aSnapshot({ name: FOO1, source: 'bar', sourceLabel: 'foo' }) }, CHANGED],
    ['take it out of its group', { after: aSnapshot({ sourceLabel: undefined }) }, CHANGED],
    ['put it into another group', { after: aSnapshot({ sourceLabel: 'bar' }) }, CHANGED],
  ])('%s while a revision mounts it', (_, change, says) => {
    expect(refused(change)).toBe(
      `configmap/${FOO1} is the configuration of revision 1 of deployment/web (replicaset/web-rs1): ${says}`,
    );
  });

  test.each<[what: string, change: Partial<SnapshotChange>, users: string]>([
    ['a template', { revisions: [], workloads: [aWorkload()] }, 'the template of deployment/web'],
    ['a revision that has no number', { revisions: [aRevision({ number: 0, name: 'web-rs' })] }, 'replicaset/web-rs'],
    ['a revision of nobody', { revisions: [aRevision({ workload: undefined })] }, 'revision 1 (replicaset/web-rs1)'],
    [
      'more than three',
      {
        revisions: [1, 2, 3, 4].map((number) => aRevision({ number })),
        workloads: [aWorkload()],
      },
      'revision 1 of deployment/web (replicaset/web-rs1), revision 2 of deployment/web (replicaset/web-rs2), revision 3 of deployment/web (replicaset/web-rs3) and 2 more',
    ],
  ])('delete what %s mounts', (_, change, users) => {
    expect(refused(change)).toBe(`configmap/${FOO1} is the configuration of ${users}: ${DELETED}`);
  });
});

describe('a person may', () => {
  test.each<[what: string, change: Partial<SnapshotChange>]>([
    ['delete what nobody mounts', { revisions: [] }],
    ['delete what only a revision mounts that goes, too', { revisions: two ? [{ ...two, deleting: true }] : [] }],
    ['take the marks from what nobody mounts', { revisions: [], after: aConfigMap({ name: FOO1 }) }],
    ['let go what is being deleted', { before: { ...before, deleting: true } }],
    ['delete a ConfigMap that is none', { before: aConfigMap() }],
    ['give it an owner', { after: aSnapshot({ owners: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u' }] }) }],
    ['note what was rolled', { after: aSnapshot({ records: { 'uid-web': 4 } }) }],
    ['write to it otherwise', { after: { ...before, resourceVersion: '11' } }],
  ])('%s', (_, change) => {
    expect(refused(change)).toBeUndefined();
  });
});
