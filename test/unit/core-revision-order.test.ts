import { expect, test } from '@jest/globals';
import { byAge, isOlder } from '../../controller/core/revision-order.ts';
import { aRevision, NOON } from '../support/builders.ts';

test('revisions are ordered by number, then by the second in which they were made, then by name, as in Kubernetes', () => {
  const oldest = aRevision({ name: 'z', number: 3, createdAt: NOON + 9000 });
  const second = aRevision({ name: 'y', number: 4, createdAt: NOON });
  const third = aRevision({ name: 'a', number: 4, createdAt: NOON + 1000 });
  const newest = aRevision({ name: 'b', number: 4, createdAt: NOON + 1000 });
  expect([third, newest, second, oldest].sort(byAge)).toEqual([oldest, second, third, newest]);
  expect([isOlder(third, newest), isOlder(newest, third), isOlder(newest, newest)]).toEqual([true, false, false]);
});
