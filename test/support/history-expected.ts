// What a history should have come to: the promises of docs/semantics.md as a few lines of state, that each step changes.

import { kindOfWorkload, leastReplicas, type Wishes } from './history-objects.ts';
import { type Setting, type SourceName, sourcesOf, usedBy, type WorkloadName, workloadsOf } from './history-steps.ts';

export interface ExpectedWorkload {
  wishes: Wishes;
  /** What its template mounts of each source. */
  pins: { [source in SourceName]?: string | undefined };
  /** What it was last rolled to. */
  rolled: { [source in SourceName]?: string | undefined };
  /** Its revisions, oldest first, as `keyOf` has them. */
  revisions: string[];
  /** So many of the oldest may be gone besides those that are over the limit: what came between took their place. */
  mayLose: number;
  /** So many may stand before the newest where something is disturbed: contents of moments, when what came together was torn. */
  moments: number;
}

export class Expected {
  readonly setting: Setting;
  /** Something happens to controllers, API server and etcd: what comes together may be torn. */
  isDisturbed = false;
  /** undefined: the source is deleted. */
  readonly values: { [source in SourceName]?: string | undefined } = {};
  readonly workloads = new Map<WorkloadName, ExpectedWorkload>();

  constructor(setting: Setting) {
    this.setting = setting;
    for (const source of sourcesOf(setting)) this.values[source] = 'a';
    for (const name of workloadsOf(setting)) this.created(name);
  }

  workload(name: WorkloadName): ExpectedWorkload {
    const found = this.workloads.get(name);
    if (found === undefined) throw new Error(`no workload ${name} in this history`);
    return found;
  }

  /** A new workload, with the content of now. */
  created(name: WorkloadName): void {
    const pins = Object.fromEntries(usedBy(this.setting, name).map((source) => [source, this.values[source]]));
    const replicas = leastReplicas(kindOfWorkload(this.setting, name));
    const wishes = { image: 'app:1', replicas, paused: false, limit: this.setting.historyLimit };
    const made = { wishes, pins, rolled: { ...pins }, revisions: [], mayLose: 0, moments: 0 };
    this.workloads.set(name, made);
    this.#revise(name);
  }

  /** Content is there, new or not: who was not rolled to it, is. */
  edited(source: SourceName, value: string): void {
    this.values[source] = value;
    for (const [name, workload] of this.workloads) {
      if (!usedBy(this.setting, name).includes(source) || workload.rolled[source] === value) continue;
      workload.rolled[source] = value;
      workload.pins[source] = value;
      this.#revise(name);
    }
  }

  /** Sources that changed together: one revision. */
  editedTogether(sources: readonly SourceName[], value: string): void {
    const before = new Map([...this.workloads].map(([name, { revisions }]) => [name, [...revisions]]));
    for (const source of sources) this.edited(source, value);
    for (const [name, workload] of this.workloads) {
      workload.revisions = before.get(name) ?? [];
      this.#revise(name);
      // Seconds may pass between the two: the watches of two kinds, or two controllers, come back at different times.
      workload.moments = sources.length - 1;
    }
  }

  wished(name: WorkloadName, change: Partial<Wishes>): void {
    const workload = this.workload(name);
    workload.wishes = { ...workload.wishes, ...change };
    this.#revise(name);
  }

  /** Raw names came with a manifest: pinned again, but for a moment there was one revision more. */
  applied(name: WorkloadName, image: string): void {
    this.wished(name, { image });
    this.workload(name).mayLose += 1;
  }

  undone(name: WorkloadName, key: string): void {
    const workload = this.workload(name);
    const [image = '', ...pins] = key.split(' ');
    workload.pins = Object.fromEntries(pins.map((pin) => pin.split('=')));
    this.wished(name, { image });
  }

  keyOf(name: WorkloadName): string {
    const { wishes, pins } = this.workload(name);
    return [wishes.image, ...usedBy(this.setting, name).map((source) => `${source}=${pins[source]}`)].join(' ');
  }

  /** What is wrong with the revisions that there are. Older servers prune the first made, not the longest unused. */
  compareRevisions(name: WorkloadName, seen: readonly string[]): string | undefined {
    const { revisions, wishes, mayLose, moments } = this.workload(name);
    const mayGain = this.isDisturbed ? moments : 0;
    const least = Math.max(1, Math.min(revisions.length, wishes.limit + 1) - mayLose - mayGain);
    const known = seen.filter((key) => revisions.includes(key));
    const inOrder = revisions.filter((key) => known.includes(key));
    const isRight =
      known.length >= least &&
      seen.length - known.length <= mayGain &&
      known.join() === inOrder.join() &&
      (wishes.paused || seen.at(-1) === revisions.at(-1));
    return isRight ? undefined : `${name} has the revisions [${seen.join(', ')}], not [${revisions.join(', ')}]`;
  }

  /** What was seen at rest is what the next step begins with. */
  rested(name: WorkloadName, seen: readonly string[]): void {
    Object.assign(this.workload(name), { revisions: [...seen], mayLose: 0, moments: 0 });
  }

  // A template that was there before is used again.
  #revise(name: WorkloadName): void {
    const workload = this.workload(name);
    const key = this.keyOf(name);
    // A pause keeps new revisions from being made, and not old ones from being used again. A template without a revision
    // leaves none of them in use: Kubernetes keeps as many as the limit says, without one more.
    if (workload.wishes.paused && !workload.revisions.includes(key)) {
      workload.mayLose += 1;
      return;
    }
    workload.revisions = [...workload.revisions.filter((each) => each !== key), key];
  }
}
