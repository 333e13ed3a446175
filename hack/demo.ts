// The main job, narrated, on a real cluster: every line after `$` is run, and what follows is what it printed.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { type Cluster, down, up } from './embedded/cluster.ts';
import { installRules } from './embedded/install.ts';
import { kubectlEnvironment, kubectlPath } from './embedded/kubectl.ts';

const IMAGE = 'config-rollout.local/busybox:1';
const bold = (text: string) => (process.stdout.isTTY && !process.env['NO_COLOR'] ? `\x1b[1m${text}\x1b[0m` : text);

function say(text: string): void {
  console.log(`\n${bold(text)}`);
}

const kubectl = await kubectlPath();
const dataDir = mkdtempSync(join(tmpdir(), 'config-rollout-demo-'));
const controllerLog = join(dataDir, 'controller.log');
const started = performance.now();
console.log(
  'This brings up a real Kubernetes cluster on this machine, and shows on it how a ConfigMap rolls out and rolls back.',
);
console.log('It touches no kubeconfig and no cluster of yours, and leaves nothing behind but its cache.\n');
let stopController: (() => Promise<void>) | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => cleanUp().then(() => process.exit(130)));
try {
  const cluster = await up({ dataDir, node: true, log: (line) => console.log(`  ${line}`) });
  await startController(cluster);
  await show(cluster);
} finally {
  await cleanUp();
}
console.log(
  'Next: `make test` proves it; `hack/cluster up` gives you a cluster to play with; README.md says how to install it on yours.',
);

async function cleanUp(): Promise<void> {
  await stopController?.();
  await down(dataDir);
  console.log(`\nThe cluster is gone again. All that took ${Math.round((performance.now() - started) / 1000)} s.`);
}

/** Installs manifests/install.yaml but for its Deployment, and runs the controller beside the cluster. */
async function startController({ kubeconfig }: Cluster): Promise<void> {
  say(
    "The controller gets all of manifests/install.yaml but a pod: it runs on this machine, with its ServiceAccount's token.",
  );
  const { printed, kubeconfig: own, webhookPort } = await installRules(kubectl, kubeconfig, dataDir);
  console.log(printed.trimEnd());
  const log = openSync(controllerLog, 'w');
  const flags = ['--kubeconfig', own, '--webhook-port', String(webhookPort)];
  const child = spawn(process.execPath, ['dist/config-rollout-controller', ...flags], { stdio: ['ignore', log, log] });
  const exited = once(child, 'exit');
  stopController = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  await until(() => readFileSync(controllerLog, 'utf8').includes('admission is served'));
}

type Run = (command: string, lines?: number) => void;

async function show({ kubeconfig, node }: Cluster): Promise<void> {
  const isReal = node !== 'stand-in';
  const run = shell(kubeconfig);
  const source = join(dataDir, 'configmap.yaml');
  const workload = join(dataDir, 'deployment.yaml');
  writeFileSync(source, configMap());
  writeFileSync(workload, deployment());

  say('1. An ordinary ConfigMap, and an ordinary Deployment that mounts it.');
  run(`kubectl apply -f ${source} -f ${workload}`);
  rolledOut(run);

  say('2. Opt in: the Deployment becomes the owner of the ConfigMap.');
  run('kubectl set-owner configmap/shop deployment/shop');
  await until(() => pinned(kubeconfig) !== 'shop');
  rolledOut(run);
  console.log('The template names an immutable copy now, that the ReplicaSet owns:');
  run('kubectl get deployment shop -o \'jsonpath={.spec.template.spec.volumes}{"\\n"}\'');
  run('kubectl get configmaps -l configrollout.dev/source=shop');

  say('3. Edit the ConfigMap. Nothing else.');
  const first = pinned(kubeconfig);
  run('kubectl patch configmap shop --type merge -p \'{"data":{"greeting":"Welcome to the autumn sale"}}\'');
  await until(() => pinned(kubeconfig) !== first);
  rolledOut(run);
  run('kubectl get replicasets');
  run('kubectl rollout history deployment/shop');
  await inPods(run, kubeconfig, isReal, 'Welcome to the autumn sale');

  say('4. The sale was a mistake. Undo it, the way an image is undone.');
  run('kubectl rollout undo deployment/shop');
  rolledOut(run);
  await inPods(run, kubeconfig, isReal, 'Hello');
  console.log('The source keeps its newer content; the undo sticks until the source changes again:');
  run('kubectl get configmap shop -o \'jsonpath={.data.greeting}{"\\n"}\'');

  say('5. Apply the same manifest of the Deployment again, as a pipeline would. It still names the ConfigMap itself.');
  run(`kubectl apply -f ${workload}`);
  console.log('Admission pinned it in the same request: nothing rolled, and the undo stays.');
  run('kubectl get deployment shop -o \'jsonpath={.spec.template.spec.volumes}{"\\n"}\'');
  run('kubectl get replicasets');

  say(
    '6. Three more changes. The Deployment keeps two old revisions (revisionHistoryLimit: 2), and so two old configs.',
  );
  for (const word of ['Good morning', 'Good day', 'Good night']) {
    const before = pinned(kubeconfig);
    run(`kubectl patch configmap shop --type merge -p '{"data":{"greeting":"${word}"}}'`);
    await until(() => pinned(kubeconfig) !== before);
    rolledOut(run);
  }
  const snapshots = () => ask(kubeconfig, ['get', 'configmaps', '-l', 'configrollout.dev/content-hash', '-o', 'name']);
  await until(() => snapshots().trim().split('\n').length === 3);
  run('kubectl rollout history deployment/shop');
  run('kubectl get configmaps -l configrollout.dev/source=shop');
}

/** Prints what the pods have: their own words where they run for real, what they mount where they do not. */
async function inPods(run: Run, kubeconfig: string, isReal: boolean, expected: string): Promise<void> {
  if (isReal) {
    console.log('The pods say what they read from their file:');
    const log = () => ask(kubeconfig, ['logs', 'deployment/shop', '--tail=1']);
    await until(() => log().includes(expected));
    run('kubectl logs deployment/shop --tail=1 2>/dev/null');
  } else {
    console.log('No container runs here (see above why), so look at what the pods mount:');
    run(`kubectl get configmap ${pinned(kubeconfig)} -o 'jsonpath={.data.greeting}{"\\n"}'`);
  }
}

/** Runs a line through a shell with kubectl, and the plugins, on the PATH; prints both. */
function shell(kubeconfig: string): Run {
  const path = [resolve('dist'), resolve('node_modules/.bin'), resolve(kubectl, '..'), process.env['PATH']].join(
    delimiter,
  );
  const env = { ...kubectlEnvironment(kubeconfig), PATH: path };
  return (command, lines = Number.POSITIVE_INFINITY) => {
    console.log(`$ ${command}`);
    const output = execFileSync('sh', ['-c', `exec 2>&1; ${command}`], { env, encoding: 'utf8' });
    console.log(output.trimEnd().split('\n').slice(-lines).join('\n'));
  };
}

/** Waits for the rollout; of its progress only the end is worth a line here. */
function rolledOut(run: Run): void {
  run('kubectl rollout status deployment/shop --timeout=120s', 1);
}

function pinned(kubeconfig: string): string {
  const path = 'jsonpath={.spec.template.spec.volumes[0].configMap.name}';
  return ask(kubeconfig, ['get', 'deployment', 'shop', '-o', path]);
}

/** Runs kubectl without a word about it. */
function ask(kubeconfig: string, args: readonly string[], input = ''): string {
  return execFileSync(kubectl, args, { env: kubectlEnvironment(kubeconfig), input, encoding: 'utf8', stdio: 'pipe' });
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > end)
      throw new Error(
        `waited for a minute in vain; the controller's log: ${controllerLog}\n${readFileSync(controllerLog, 'utf8')}`,
      );
    await new Promise((wake) => setTimeout(wake, 200));
  }
}

function configMap(): string {
  return `apiVersion: v1
kind: ConfigMap
metadata:
  name: shop
data:
  greeting: Hello
`;
}

function deployment(): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  replicas: 2
  revisionHistoryLimit: 2
  selector:
    matchLabels:
      app: shop
  template:
    metadata:
      labels:
        app: shop
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: shop
          image: ${IMAGE}
          command: [sh, -c, "while true; do cat /etc/shop/greeting; echo; sleep 1; done"]
          volumeMounts:
            - name: config
              mountPath: /etc/shop
      volumes:
        - name: config
          configMap:
            name: shop
`;
}
