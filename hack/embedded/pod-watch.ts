// The pods of the cluster as the API server tells of them: a list in pages, then a watch that goes on where it broke
// off. It never gives up: a stand-in that has stopped looks like a cluster in which nothing starts.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from './api.ts';
import type { Pod } from './pods.ts';
import { messageOf } from './problem.ts';

export interface PodObserver {
  seen(pod: Pod): void;
  gone(uid: string): void;
  /** After a list: whatever is not among these is gone. */
  only(uids: ReadonlySet<string>): void;
}

interface PodList {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly Pod[];
}

interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: Pod & { readonly metadata: { readonly resourceVersion: string }; readonly message?: string };
}

const PAGE = 500;
const WATCH_SECONDS = 300;
const LONGEST_PAUSE_MS = 2_000;

async function list(api: Api, observer: PodObserver): Promise<string> {
  const uids = new Set<string>();
  let token: string | undefined;
  for (;;) {
    const more: string = token === undefined ? '' : `&continue=${encodeURIComponent(token)}`;
    const { status, body } = await api.call({ path: `/api/v1/pods?limit=${PAGE}${more}` });
    if (status !== 200) throw new Error(`list of pods: HTTP ${status}`);
    const page = JSON.parse(body) as PodList;
    for (const pod of page.items) {
      uids.add(pod.metadata.uid);
      observer.seen(pod);
    }
    token = page.metadata.continue;
    if (token === undefined || token === '') {
      observer.only(uids);
      return page.metadata.resourceVersion;
    }
  }
}

function take({ type, object }: WatchEvent, observer: PodObserver): void {
  if (type === 'ADDED' || type === 'MODIFIED') observer.seen(object);
  if (type === 'DELETED') observer.gone(object.metadata.uid);
}

/** Gives the version up to which it came; undefined when only a new list helps. */
async function watch(api: Api, from: string, observer: PodObserver): Promise<string | undefined> {
  const query = `watch=1&allowWatchBookmarks=true&timeoutSeconds=${WATCH_SECONDS}&resourceVersion=${from}`;
  let version = from;
  for await (const line of api.lines({ path: `/api/v1/pods?${query}` }, (WATCH_SECONDS + 30) * 1000)) {
    if (line === '') continue;
    const event = JSON.parse(line) as WatchEvent;
    if (event.type === 'ERROR') return undefined;
    version = event.object.metadata.resourceVersion;
    take(event, observer);
  }
  return version;
}

/** Runs until the process ends. */
export async function followPods(api: Api, observer: PodObserver): Promise<never> {
  let version: string | undefined;
  let pause = 0;
  for (;;) {
    try {
      version ??= await list(api, observer);
      version = await watch(api, version, observer);
      pause = 0;
    } catch (error) {
      console.error(`pods: ${messageOf(error)}; starting over`);
      version = undefined;
      pause = Math.min(LONGEST_PAUSE_MS, Math.max(100, pause * 2));
      await sleep(pause);
    }
  }
}
