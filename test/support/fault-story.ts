// What people do to a workload and its source, behind a proxy and with a controller of its own: an adoption, changes, an
// undo. After each step one question: is everything as it has to be once all is quiet?

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { afterAll } from '@jest/globals';
import type { SourceKind } from '../../controller/core/types.ts';
import { statusOf } from '../../controller/runtime/failure.ts';
import { freePorts } from '../../hack/embedded/ports.ts';
import { type Controller, env, startController } from './controller.ts';
import { type Look, look, RESOURCES, snapshotsIn } from './fault-rest.ts';
import type { Asked } from './fault-rules.ts';
import { type FaultProxy, startProxy } from './proxy.ts';
import { admin, Scenario, sleep, until } from './scenario.ts';
import { type KindUnderTest, Subject } from './workload-kinds.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API server, read as they come
type Json = any;

/**
 * `back`: the source gets the content that it had before. `regret`: a change is taken back while rollouts are paused, so that
 * its snapshot is of no use to anybody.
 */
export type Phase = 'adoption' | 'change' | 'undo' | 'back' | 'regret';

export interface StoryOptions {
  readonly kinds: readonly KindUnderTest[];
  readonly sourceKind?: SourceKind;
  /** More of those who are said to own the source. */
  readonly owners?: readonly string[];
  readonly args?: readonly string[];
  /** false: nobody keeps ConfigRollouts up. */
  readonly configRollouts?: boolean;
}

/** Many stories run at once, and all of them ask one API server. */
const POLL_MS = 200;
const LONGEST_MS = 90_000;
const QUIET_MS = 1000;

const open = new Set<Story>();
// Those in which something failed.
afterAll(() => Promise.allSettled([...open].map((story) => story.end())));

export class Story {
  readonly scenario: Scenario;
  readonly proxy: FaultProxy;
  readonly subjects: readonly Subject[];
  /** Of all controllers so far. */
  readonly logs: Controller['log'][] = [];
  controller: Controller | undefined;
  readonly #options: StoryOptions;
  readonly #sourceKind: SourceKind;
  /** Nobody else writes it: where it shows up, it was told. */
  readonly #secret = randomBytes(9).toString('hex');
  readonly #probes = freePorts('probes').then(({ probes }) => probes);
  #mounted = '';
  #revisions = 0;
  #content = '';
  /** Of the newest revision of each workload, as it has to be. */
  #numbers: ReadonlyMap<string, number> = new Map();

  private constructor(scenario: Scenario, proxy: FaultProxy, options: StoryOptions) {
    this.scenario = scenario;
    this.proxy = proxy;
    this.subjects = options.kinds.map((kind) => new Subject(kind, scenario));
    this.#options = options;
    this.#sourceKind = options.sourceKind ?? 'ConfigMap';
  }

  /** Nothing is there yet but a namespace, and nobody works. */
  static async begin(name: string, options: StoryOptions): Promise<Story> {
    const proxy = await startProxy(env('TEST_CONTROLLER_KUBECONFIG'), (path, content) =>
      writeFileSync(path, content, { mode: 0o600 }),
    );
    const story = new Story(await Scenario.start(name), proxy, options);
    open.add(story);
    return story;
  }

  /** Starts a controller. */
  async work(): Promise<Controller> {
    const secrets = this.#sourceKind === 'Secret' ? ['--secrets'] : [];
    this.controller = await startController({
      kubeconfig: this.proxy.kubeconfig,
      admission: false,
      args: [
        `--namespaces=${this.scenario.namespace}`,
        `--health-probe-bind-address=127.0.0.1:${await this.#probes}`,
        ...secrets,
        ...(this.#options.args ?? []),
      ],
    });
    this.logs.push(this.controller.log);
    return this.controller;
  }

  /** What /readyz answers: its status and text. */
  async ready(): Promise<string> {
    const answer = await fetch(`http://127.0.0.1:${await this.#probes}/readyz?verbose`);
    return `${answer.status} ${await answer.text()}`;
  }

  /** Ends the story: whoever works is stopped, and nothing is left for others to look at. Throws when that does not end well, or when a Secret was told. */
  async end(): Promise<void> {
    open.delete(this);
    const code = await this.controller?.stop();
    await this.proxy.close();
    const workloads = this.subjects.map(
      ({ is, name }) => `${this.#collection(is.apiVersion, `${is.resource}s`)}/${name}`,
    );
    for (const path of [`${this.#sources}/foo`, ...workloads])
      await admin()
        .request('DELETE', path, { body: { propagationPolicy: 'Background' } })
        .catch((error: unknown) => {
          // A phase that failed may not have made it.
          if (statusOf(error) !== 404) throw error;
        });
    if (code) throw new Error(`the controller ended with ${code}`);
    const told = this.logs.flat().filter((line) => JSON.stringify(line).includes(this.#secret));
    if (told.length > 0) throw new Error(`the content of a source is in ${told.length} lines of the log`);
  }

  /** What people do. */
  async act(phase: Phase): Promise<void> {
    switch (phase) {
      case 'adoption':
        this.#mounted = this.#content = 'v1';
        this.#revisions = 1;
        return this.#create();
      case 'change':
        this.#revisions += 1;
        this.#mounted = 'v2';
        this.#countUp();
        return this.write('v2');
      case 'back':
        this.#mounted = 'v1';
        this.#countUp();
        return this.write('v1');
      case 'undo':
        this.#mounted = this.#mounted === 'v1' ? 'v2' : 'v1';
        this.#countUp();
        for (const subject of this.subjects) await subject.undo();
        return;
      case 'regret':
        return this.#regret();
      default:
        return phase satisfies never;
    }
  }

  /** Gives the source another content. */
  async write(version: string): Promise<void> {
    this.#content = version;
    await admin().request('PATCH', `${this.#sources}/foo`, { body: this.#data(version) });
  }

  /** Waits until all is as it has to be after what was done last, and then until the controller is quiet; or for the signal. */
  async rest({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const end = performance.now() + LONGEST_MS;
    let seen = await this.#look();
    while (seen.wrong.length > 0) {
      if (signal?.aborted) return;
      if (performance.now() > end) throw new Error(`no rest: ${seen.wrong.join('; ')}${this.#last()}`);
      await sleep(POLL_MS);
      seen = await this.#look();
    }
    await this.#quiet(end);
    if (signal?.aborted) return;
    seen = await this.#look();
    if (seen.wrong.length > 0) throw new Error(`no more at rest: ${seen.wrong.join('; ')}${this.#last()}`);
    this.#numbers = seen.numbers;
  }

  /** Requests that do more than keep a watch or a lease up. */
  get #asked(): number {
    const isUpkeep = ({ verb, resource }: Asked) => ['list', 'watch'].includes(verb) || resource === 'leases';
    return this.proxy.requests.filter((asked) => !isUpkeep(asked)).length;
  }

  snapshots(): Promise<Json[]> {
    return snapshotsIn(this.scenario.namespace, this.#sourceKind);
  }

  #countUp(): void {
    this.#numbers = new Map([...this.#numbers].map(([ref, number]) => [ref, number + 1]));
  }

  async #regret(): Promise<void> {
    const before = (await this.snapshots()).length;
    await this.#pause(true);
    await this.write('v3');
    await until('its snapshot', async () => (await this.snapshots()).length > before);
    await this.#until('Paused');
    await this.write('v2');
    // The controller may see that it may go on before it sees what is there to go on with.
    await this.#until('Current');
    await this.#pause(false);
  }

  async #until(state: string): Promise<void> {
    for (const { is, name } of this.subjects)
      await until(`${is.resource}/${name} is ${state}`, async () => {
        const { status } = await admin().request<Json>('GET', this.#configRollout(is, name));
        return status.sources.every((source: Json) => source.state === state);
      });
  }

  #configRollout(is: KindUnderTest, name: string): string {
    return `${this.#collection('configrollout.dev/v1alpha1', 'configrollouts')}/${is.resource}-${name}`;
  }

  async #pause(paused: boolean): Promise<void> {
    for (const { is, name } of this.subjects) {
      const path = this.#configRollout(is, name);
      const { metadata } = await admin().request<Json>('PATCH', path, { body: { spec: { paused } } });
      const isSeen = ({ status }: Json) => status.observedGeneration === metadata.generation;
      await until('the policy is seen', async () => isSeen(await admin().request<Json>('GET', path)));
    }
  }

  get #sources(): string {
    return `/api/v1/namespaces/${this.scenario.namespace}/${RESOURCES[this.#sourceKind]}`;
  }

  #data(version: string): Json {
    const value = `${version}-${this.#secret}`;
    const isSecret = this.#sourceKind === 'Secret';
    return { data: { 'config.yml': isSecret ? Buffer.from(value).toString('base64') : value } };
  }

  async #create(): Promise<void> {
    const owners = [...this.subjects.map(({ ref }) => ref), ...(this.#options.owners ?? [])].join(', ');
    const metadata = { name: 'foo', annotations: { 'configrollout.dev/owners': owners } };
    await admin().request('POST', this.#sources, { body: { metadata, ...this.#data('v1') } });
    const volume = this.#sourceKind === 'Secret' ? { secret: { secretName: 'foo' } } : { configMap: { name: 'foo' } };
    const podSpec = { volumes: [{ name: 'config', ...volume }] };
    for (const { is, ...subject } of this.subjects.map((each) => ({ is: each.is, body: each.manifest({ podSpec }) })))
      await admin().request('POST', this.#collection(is.apiVersion, `${is.resource}s`), subject);
  }

  #collection(apiVersion: string, resource: string): string {
    return `/apis/${apiVersion}/namespaces/${this.scenario.namespace}/${resource}`;
  }

  async #quiet(end: number): Promise<void> {
    for (let before = -1; before !== this.#asked; ) {
      if (performance.now() > end) throw new Error(`it is never quiet${this.#last()}`);
      before = this.#asked;
      await sleep(QUIET_MS);
    }
  }

  #look(): Promise<Look> {
    const { namespace } = this.scenario;
    const state = this.#mounted === this.#content ? 'Current' : 'RolledBack';
    return look({
      namespace,
      subjects: this.subjects,
      sourceKind: this.#sourceKind,
      mounted: this.#data(this.#mounted).data['config.yml'],
      revisions: this.#revisions,
      numbers: this.#numbers,
      state: this.#options.configRollouts === false ? undefined : state,
    });
  }

  #last(): string {
    const line = ({ message, error }: Record<string, unknown>) => [message, error].filter(Boolean).join(': ');
    const asked = this.proxy.requests.slice(-8).map(({ verb, resource, status }) => `${verb} ${resource} ${status}`);
    const said = this.logs.at(-1)?.slice(-8).map(line);
    return `\nlast asked: ${asked.join(', ')}\nlast said:\n  ${said?.join('\n  ')}`;
  }
}
