// The tree as data, and as text.

import { timestampOf } from '../../core/timestamp.ts';
import { type ObjectRef, refOf } from '../../core/types.ts';
import type { Json } from '../cluster.ts';
import { renderTable } from '../table.ts';
import { ageOf } from '../view/age.ts';

export type Role = 'source' | 'snapshot' | 'workload' | 'revision' | 'pod';

export interface Node {
  readonly role: Role;
  /** `uid` is empty for what is gone. */
  readonly object: ObjectRef;
  /** Instead of the name alone: `revision:7 bar-74b948fccb`. */
  readonly label?: string;
  readonly status: string;
  readonly info: string;
  /** In milliseconds since the epoch. */
  readonly createdAt: number | undefined;
  readonly children: readonly Node[];
}

const SYMBOLS: Readonly<Record<Role, string>> = { source: '⚙', snapshot: '⧉', workload: '⟳', revision: '#', pod: '□' };

/** @param now in milliseconds since the epoch */
export function renderTrees(roots: readonly Node[], headers: boolean, now: number): string {
  const rows = roots.flatMap((root) => [...linesOf(root, '', '')]);
  const header = headers ? ['NAME', 'KIND', 'STATUS', 'AGE', 'INFO'] : undefined;
  return renderTable(
    header,
    rows.map(({ name, node: { role, object, status, createdAt, info } }) => [
      name,
      role === 'snapshot' ? 'Snapshot' : object.kind,
      status,
      createdAt === undefined ? '' : ageOf(createdAt, now),
      info,
    ]),
  );
}

interface Line {
  readonly name: string;
  readonly node: Node;
}

/** `first` stands before the node itself, `rest` before what is below it. */
function* linesOf(node: Node, first: string, rest: string): Generator<Line> {
  const { role, label, object, children } = node;
  yield { name: `${first}${SYMBOLS[role]} ${label ?? object.name}`, node };
  for (const [i, child] of children.entries()) {
    const isLast = i === children.length - 1;
    yield* linesOf(child, `${rest}${isLast ? '└──' : '├──'}`, `${rest}${isLast ? '   ' : '│  '}`);
  }
}

/** For machines. */
export function toItem({ role, object, status, info, createdAt, children }: Node): Json {
  const { uid, ...name } = refOf(object);
  return {
    role,
    ...name,
    ...(uid !== '' && { uid }),
    ...(status !== '' && { status }),
    ...(info !== '' && { info }),
    ...(createdAt !== undefined && { created: timestampOf(createdAt) }),
    ...(children.length > 0 && { children: children.map(toItem) }),
  };
}
