// What a whole run left behind, looked at once at its end: no request of the controller's was forbidden, and no value that
// was planted in a Secret is in anything that people read.

import { execFile } from 'node:child_process';
import { createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { kubectlEnvironment } from '../../hack/embedded/kubectl.ts';
import { PLANTED } from './planted.ts';

export interface Remains {
  readonly kubectl: string;
  readonly kubeconfig: string;
  readonly auditLog: string;
  /** Where this run begins in it, in bytes. */
  readonly auditFrom: number;
  /** All that controllers have written to stderr and stdout. */
  readonly output: string;
}

const MOST_SHOWN = 5;
const LARGEST_LISTING = 2 ** 30;
const CONTROLLER = '"username":"system:serviceaccount:config-rollout:config-rollout"';

/** Gives the findings in a line. Throws when something is not as it should be. */
export async function inspect(remains: Remains): Promise<string> {
  const [audit, output, objects] = [new Finding(), new Finding(), new Finding()];
  let requests = 0;
  const forbidden: string[] = [];
  for await (const line of linesOf(remains.auditLog, remains.auditFrom)) {
    audit.look(line);
    if (!line.includes(CONTROLLER)) continue;
    requests += 1;
    if (!line.includes('"authorization.k8s.io/decision":"allow"')) forbidden.push(line);
  }
  for await (const line of linesOf(remains.output)) output.look(line);
  for (const line of await allObjects(remains)) objects.look(line);
  const problems = [
    ...forbidden.slice(0, MOST_SHOWN).map((line) => `forbidden: ${line}`),
    ...[audit, output, objects].flatMap(({ found }) => found.map((text) => `a Secret's value: ${text}`)),
  ];
  const counts = `${requests} requests of the controller, ${forbidden.length} of them forbidden; values of Secrets in ${output.lines} lines of its output, ${objects.lines} of objects and ${audit.lines} of the audit log: ${audit.count + output.count + objects.count}`;
  if (problems.length > 0) throw new Error([counts, ...problems].join('\n'));
  return counts;
}

/** Counts lines, and those with a planted value. */
class Finding {
  lines = 0;
  count = 0;
  readonly found: string[] = [];

  look(line: string): void {
    this.lines += 1;
    const at = line.search(PLANTED);
    if (at === -1) return;
    this.count += 1;
    if (this.found.length < MOST_SHOWN) this.found.push(line.slice(Math.max(0, at - 200), at + 60));
  }
}

async function* linesOf(path: string, start = 0): AsyncGenerator<string> {
  if (existsSync(path)) yield* createInterface({ input: createReadStream(path, { start }) });
}

/** Every object of the cluster but for Secrets, Events among them, in lines. */
async function allObjects({ kubectl, kubeconfig }: Remains): Promise<readonly string[]> {
  const options = { env: kubectlEnvironment(kubeconfig), maxBuffer: LARGEST_LISTING };
  const run = async (...args: string[]) => (await promisify(execFile)(kubectl, args, options)).stdout;
  const resources = (await run('api-resources', '--verbs=list', '-o', 'name')).trim().split('\n');
  const listed = resources.filter((name) => name !== 'secrets');
  // Not as YAML, in which kubectl cannot write all that the bad input left.
  return (await run('get', listed.join(), '--all-namespaces', '--ignore-not-found', '-o', 'json')).split('\n');
}
