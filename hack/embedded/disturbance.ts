// What tests do to a running cluster to see who copes: a part that dies and comes back, and a database that forgets.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Layout, layout } from './paths.ts';
import { Problem } from './problem.ts';
import { type Command, isAlive, type ProcessId, startDetached, stop } from './processes.ts';
import { type Component, readState, type State, writeState } from './state.ts';

const ATTEMPTS = 20;
/** Longer than a component takes to find that its port is taken. */
const STEADY_MS = 2000;

/**
 * Kills a component. What it gives starts it again, with the very command line that it had, and does not wait until it
 * answers.
 */
export async function killComponent(dataDir: string, name: string): Promise<() => Promise<void>> {
  const files = layout(dataDir);
  const { component } = find(files, name);
  const commandLine = readFileSync(`/proc/${component.process.pid}/cmdline`, 'utf8');
  const [command = '', ...args] = commandLine.split('\0').slice(0, -1);
  await stop(component.process, 0);
  return async () => {
    const process = await startSteadily({ command, args, log: component.log });
    const { state } = find(files, name);
    const components = state.components.map((each) => (each.name === name ? { ...each, process } : each));
    writeState(files, { ...state, components });
  };
}

// Its port is one that the system hands out: a client that keeps trying to connect may have got it for its own end.
async function startSteadily(command: Command): Promise<ProcessId> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const process = await startDetached(command);
    await sleep(STEADY_MS);
    if (isAlive(process)) return process;
  }
  throw new Problem(`${command.command} does not stay up again.`, `Its log is ${command.log}`);
}

interface Header {
  readonly header: { readonly revision: string };
}

/** Makes etcd forget every version but the newest: who wants to go on from an older one, has to list anew. */
export async function compactEtcd(dataDir: string): Promise<void> {
  const [port] = find(layout(dataDir), 'etcd').component.ports;
  const call = async (path: string, body: object): Promise<Header> => {
    const answer = await fetch(`http://127.0.0.1:${port}/v3/kv/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Problem(`etcd refuses ${path}: HTTP ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Header;
  };
  // Of any key: the answer's header says the newest revision of the whole store.
  const { header } = await call('range', { key: Buffer.from('/').toString('base64'), limit: 1 });
  await call('compaction', { revision: header.revision, physical: true });
}

function find(files: Layout, name: string): { readonly state: State; readonly component: Component } {
  const state = readState(files);
  const component = state?.components.find((each) => each.name === name);
  if (state === undefined || component === undefined) throw new Problem(`No ${name} runs in ${files.dataDir}.`);
  return { state, component };
}
