// Loaded into a controller by `node --import`: its wall clock is off by as many milliseconds as a file says, which may
// change while it runs. As when a machine's clock is set: timers, and the clock that only ever counts up, go on as they were.

import { readFileSync } from 'node:fs';

const LOOK_EVERY_MS = 20;
const file = new URL(import.meta.url).searchParams.get('offset') ?? '';
const Real = Date;
let offset = 0;
let lookedAt = Number.NEGATIVE_INFINITY;

function now(): number {
  const at = performance.now();
  if (at - lookedAt > LOOK_EVERY_MS) {
    lookedAt = at;
    offset = Number(readFileSync(file, 'utf8'));
  }
  return Real.now() + offset;
}

globalThis.Date = new Proxy(Real, {
  construct: (target, args) => Reflect.construct(target, args.length === 0 ? [now()] : args),
  apply: () => new Real(now()).toString(),
  get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
});
