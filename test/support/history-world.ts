// One history in a namespace of its own: performs its steps, and waits after each until everything is as it should be, and
// the controller has nothing more to write.

import { Expected } from './history-expected.ts';
import {
  dataOf,
  kindOfSource,
  kindOfWorkload,
  leastReplicas,
  pathOf,
  revisionKind,
  revisionsOf,
  sourceManifest,
  type Wishes,
  workloadManifest,
} from './history-objects.ts';
import { People } from './history-people.ts';
import { type Bystanders, broken, bystandersIn, keysOf, leftOver } from './history-promises.ts';
import { type Surroundings, untilRest } from './history-rest.ts';
import {
  type History,
  type SourceName,
  type Step,
  sourcesOf,
  usedBy,
  type WorkloadName,
  workloadsOf,
} from './history-steps.ts';
import type { View } from './history-view.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects of the API, as JSON
type Json = any;

const MOST_EDITS = 4;

export class HistoryWorld {
  readonly #around: Surroundings;
  readonly #namespace: string;
  readonly #history: History;
  readonly #people: People;
  readonly #expected: Expected;
  #bystanders: Bystanders = new Map();
  #view: View | undefined;
  /** Steps that had something to do. */
  performed = 0;
  #edits = 0;

  constructor(around: Surroundings, namespace: string, history: History) {
    this.#around = around;
    this.#namespace = namespace;
    this.#history = history;
    this.#people = new People(around.client, namespace);
    this.#expected = new Expected(history.setting);
  }

  /** Lives through the history. Throws Broken. Leaves the namespace as it was. */
  async live(): Promise<void> {
    await this.#begin();
    await this.#rest('the beginning');
    for (const [i, asked] of this.#history.steps.entries()) {
      const step = this.#aimed(asked);
      if (!(await this.#perform(step))) continue;
      this.performed += 1;
      await this.#rest(`step ${i + 1}, ${JSON.stringify(step)}`);
    }
    await this.clear();
    await this.#until('the end, with all deleted', (view) => leftOver(view));
  }

  /** Deletes everything of the history. */
  async clear(): Promise<void> {
    const view = await this.#around.observatory.look(this.#namespace);
    for (const name of workloadsOf(this.#history.setting)) {
      const kind = kindOfWorkload(this.#history.setting, name);
      const found = view.get(kind, name);
      if (found) await this.#people.delete({ ...found, kind });
    }
    for (const name of sourcesOf(this.#history.setting)) {
      const kind = kindOfSource(this.#history.setting, name);
      const found = view.get(kind, name);
      if (found) await this.#people.delete({ ...found, kind });
    }
  }

  async #begin(): Promise<void> {
    const { setting } = this.#history;
    this.#bystanders = bystandersIn(await this.#around.observatory.look(this.#namespace));
    for (const name of workloadsOf(setting)) await this.#createWorkload(name);
    for (const name of sourcesOf(setting)) await this.#createSource(name, 'a');
  }

  async #createWorkload(name: WorkloadName): Promise<void> {
    await this.#people.create(workloadManifest(this.#history.setting, name, this.#wishes(name)));
  }

  async #createSource(name: SourceName, value: string): Promise<void> {
    const { setting } = this.#history;
    await this.#people.create(sourceManifest(setting, name, value, await this.#users(name)));
  }

  async #users(source: SourceName): Promise<Json[]> {
    const { setting } = this.#history;
    const users = workloadsOf(setting).filter((name) => usedBy(setting, name).includes(source));
    const found = users.map(async (name) => {
      const kind = kindOfWorkload(setting, name);
      const object = await this.#people.read(kind, name);
      return object && { ...object, kind, apiVersion: 'apps/v1' };
    });
    return (await Promise.all(found)).filter((object) => object !== undefined);
  }

  // ---- steps

  /** The step, aimed at what there is in this history; and an edit at another content. */
  #aimed(step: Step): Step {
    if (step.do === 'edit') {
      const source = this.#history.setting.sources[step.source] === undefined ? 'foo' : step.source;
      return { ...step, source, value: this.#expected.values[source] === step.value ? 'e' : step.value };
    }
    if ('workload' in step && !this.#expected.workloads.has(step.workload)) return { ...step, workload: 'web' };
    if ('source' in step && this.#history.setting.sources[step.source] === undefined) return { ...step, source: 'foo' };
    return step;
  }

  // False when there is nothing to do: it would fail, or change nothing that can be told.
  async #perform(step: Step): Promise<boolean> {
    switch (step.do) {
      case 'edit':
        return this.#edit(step.source, step.value);
      case 'editAll':
        return this.#editAll(step.value);
      case 'annotate':
        return this.#annotate(step.source, step.value);
      case 'deleteSource':
        return this.#deleteSource(step.source);
      case 'setImage': {
        this.#expected.wished(step.workload, { image: step.image });
        const container = { name: 'app', image: step.image };
        await this.#patchWorkload(step.workload, { template: { spec: { containers: [container] } } });
        return true;
      }
      case 'apply':
      case 'applyServerSide':
      case 'replace':
        return this.#apply(step);
      case 'undo':
        return this.#undo(step);
      case 'setLimit':
        // Old servers forbid it.
        if (kindOfWorkload(this.#history.setting, step.workload) === 'StatefulSet') return false;
        this.#expected.wished(step.workload, { limit: step.limit });
        await this.#patchWorkload(step.workload, { revisionHistoryLimit: step.limit });
        return true;
      case 'scale':
        return this.#scale(step.workload);
      case 'togglePause':
        return this.#togglePause(step.workload);
      case 'deleteOldestRevision':
        return this.#deleteRevision(step.workload, 0);
      case 'deleteNewestRevision':
        return this.#deleteRevision(step.workload, -1);
      case 'recreate':
        return this.#recreate(step.workload);
      default:
        return step satisfies never;
    }
  }

  async #edit(source: SourceName, value: string): Promise<boolean> {
    if (this.#isExhausted()) return false;
    const isThere = this.#expected.values[source] !== undefined;
    this.#expected.edited(source, value);
    if (isThere) await this.#patchSource(source, value);
    else await this.#createSource(source, value);
    return true;
  }

  async #editAll(value: string): Promise<boolean> {
    if (this.#isExhausted()) return false;
    const there = sourcesOf(this.#history.setting).filter((source) => this.#expected.values[source] !== undefined);
    if (there.length === 0) return false;
    await Promise.all(there.map((source) => this.#patchSource(source, value)));
    this.#expected.editedTogether(there, value);
    return true;
  }

  // Whoever rolls more often in a short time is slowed down, to one rollout in half a minute.
  #isExhausted(): boolean {
    this.#edits += 1;
    return this.#edits > MOST_EDITS;
  }

  async #patchSource(source: SourceName, value: string): Promise<void> {
    const kind = kindOfSource(this.#history.setting, source);
    await this.#people.patch(kind, source, { data: dataOf(kind, value) });
  }

  async #annotate(source: SourceName, note: string): Promise<boolean> {
    if (this.#expected.values[source] === undefined) return false;
    await this.#people.patch(kindOfSource(this.#history.setting, source), source, {
      metadata: { annotations: { note } },
    });
    return true;
  }

  async #deleteSource(source: SourceName): Promise<boolean> {
    if (this.#expected.values[source] === undefined) return false;
    const kind = kindOfSource(this.#history.setting, source);
    const found = await this.#people.read(kind, source);
    this.#expected.values[source] = undefined;
    if (found) await this.#people.delete({ ...found, kind });
    return true;
  }

  async #apply({
    do: how,
    workload: name,
    image,
  }: Step & { do: 'apply' | 'applyServerSide' | 'replace' }): Promise<boolean> {
    if (!this.#hasSources(name) || !this.#isRemembered(name, how)) return false;
    this.#expected.applied(name, image);
    await this.#people[how](workloadManifest(this.#history.setting, name, this.#wishes(name)));
    return true;
  }

  async #undo({ workload: name, back, byKubectl }: Step & { do: 'undo' }): Promise<boolean> {
    const { workload, revisions } = this.#standing(name);
    const older = revisions.length - 1;
    if (older < 1 || this.#wishes(name).paused) return false;
    const which = older - 1 - ((back - 1) % older);
    const target = revisions[which];
    if (target === undefined) return false;
    if (!(await this.#people.undo(workload, target, byKubectl))) return false;
    this.#expected.undone(name, this.#keys(name)[which] ?? '');
    return true;
  }

  async #scale(name: WorkloadName): Promise<boolean> {
    const kind = kindOfWorkload(this.#history.setting, name);
    if (kind === 'DaemonSet') return false;
    const replicas = 1 + 2 * leastReplicas(kind) - this.#wishes(name).replicas;
    this.#expected.wished(name, { replicas });
    await this.#patchWorkload(name, { replicas });
    return true;
  }

  async #togglePause(name: WorkloadName): Promise<boolean> {
    if (kindOfWorkload(this.#history.setting, name) !== 'Deployment') return false;
    const paused = !this.#wishes(name).paused;
    this.#expected.wished(name, { paused });
    await this.#patchWorkload(name, { paused });
    return true;
  }

  async #deleteRevision(name: WorkloadName, which: 0 | -1): Promise<boolean> {
    const { revisions } = this.#standing(name);
    const kind = kindOfWorkload(this.#history.setting, name);
    const target = revisions.at(which);
    if (target === undefined) return false;
    if (which === 0 && revisions.length < 2) return false;
    // The controller of StatefulSets looks only when something happens to it; that of a paused Deployment not at all.
    if (which === -1 && (kind === 'StatefulSet' || this.#wishes(name).paused)) return false;
    if (which === 0) this.#expected.workload(name).revisions.shift();
    await this.#people.delete({ ...target.object, kind: revisionKind(kind) });
    return true;
  }

  // Its sources go with it where it owns them, once Kubernetes has seen to that.
  async #recreate(name: WorkloadName): Promise<boolean> {
    if (!this.#hasSources(name)) return false;
    const { setting } = this.#history;
    const { workload } = this.#standing(name);
    const { uid } = workload.metadata;
    await this.#people.delete({ ...workload, kind: kindOfWorkload(setting, name) });
    await this.#until(`${name} is deleted`, (view) => {
      const dependents = (['ReplicaSet', 'ControllerRevision', 'ConfigMap', 'Secret'] as const).flatMap((kind) =>
        view.all(kind),
      );
      const named = dependents.filter(({ metadata }) =>
        metadata.ownerReferences?.some((owner: Json) => owner.uid === uid),
      );
      return [
        ...(view.isAlive(uid) ? [`${name} is there`] : []),
        ...named.map(({ metadata }) => `${metadata.name} is its own`),
      ];
    });
    this.#expected.created(name);
    await this.#createWorkload(name);
    for (const source of usedBy(setting, name)) await this.#optInAgain(source);
    return true;
  }

  async #optInAgain(source: SourceName): Promise<void> {
    const { setting } = this.#history;
    const value = this.#expected.values[source] ?? '';
    const kind = kindOfSource(setting, source);
    if ((await this.#people.read(kind, source)) === undefined) return this.#createSource(source, value);
    if (setting.optIn !== 'reference') return;
    const { ownerReferences } = sourceManifest(setting, source, value, await this.#users(source)).metadata;
    await this.#people.patch(kind, source, { metadata: { ownerReferences } });
  }

  // ---- what is known of the moment

  #wishes(name: WorkloadName): Wishes {
    return this.#expected.workload(name).wishes;
  }

  #hasSources(name: WorkloadName): boolean {
    return usedBy(this.#history.setting, name).every((source) => this.#expected.values[source] !== undefined);
  }

  // Where admission is not at hand, raw names push a revision out of a full history: it may be the one that says where a
  // workload stands that is undone. And a replace drops the state label: when the snapshot that bore the record goes with such
  // a revision, or is gone, nothing says any more what was rolled.
  #isRemembered(name: WorkloadName, how: 'apply' | 'applyServerSide' | 'replace'): boolean {
    const { rolled, pins, revisions, wishes } = this.#expected.workload(name);
    const used = usedBy(this.#history.setting, name);
    const isUndone = used.some((source) => pins[source] !== rolled[source]);
    if (revisions.length > wishes.limit) return how !== 'replace' && !isUndone;
    const isRecorded = used.every((source) => revisions.some((key) => key.includes(`${source}=${rolled[source]}`)));
    return how !== 'replace' || isRecorded;
  }

  #standing(name: WorkloadName) {
    const kind = kindOfWorkload(this.#history.setting, name);
    const workload = this.#view?.get(kind, name);
    if (this.#view === undefined || workload === undefined) throw new Error(`${name} was not there at the last rest`);
    return {
      workload: { ...workload, kind },
      revisions: revisionsOf(this.#view, kind, workload.metadata.uid),
    };
  }

  #keys(name: WorkloadName): string[] {
    const { setting } = this.#history;
    return this.#view === undefined ? [] : keysOf(this.#view, setting, name, this.#standing(name).revisions);
  }

  async #patchWorkload(name: WorkloadName, spec: Json): Promise<void> {
    const kind = kindOfWorkload(this.#history.setting, name);
    const path = pathOf(this.#namespace, kind, name);
    await this.#people.patchStrategically(path, { spec });
  }

  // ---- rest

  async #rest(at: string): Promise<void> {
    this.#view = await this.#until(at, (view) => {
      this.#expected.isDisturbed = this.#around.disturbances() > 0;
      return broken(view, this.#expected, this.#bystanders);
    });
    for (const name of this.#expected.workloads.keys()) this.#expected.rested(name, this.#keys(name));
  }
  #until(at: string, look: (view: View) => string[]): Promise<View> {
    return untilRest(this.#around, this.#namespace, at, look);
  }
}
