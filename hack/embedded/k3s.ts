// A cluster in a Docker container, where a Docker engine answers and can have the image: testcontainers' k3s. Its code
// is loaded only then, and its reaper is not asked for: the container stays when this process ends, until `down`.

import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { auditArguments, writeAuditFiles } from './components.ts';
import { mayHaveDocker } from './docker-engine.ts';
import { kubectlEnvironment, kubectlPath } from './kubectl.ts';
import { messageOf, Problem } from './problem.ts';
import { type Log, type Starter, timed } from './starter.ts';
import { tar } from './tar.ts';

const DEFAULT_IMAGE = 'rancher/k3s:v1.34.1-k3s1';
const LABEL = 'config-rollout.data-dir';
const INSIDE = { auditLog: '/audit/audit.log', auditPolicy: '/audit/policy.yaml' };

async function docker() {
  const { getContainerRuntimeClient } = await import('testcontainers');
  return getContainerRuntimeClient();
}

/** The image, once the engine has it; undefined when there is no engine, or it cannot be had. */
export async function k3sImage(log: Log): Promise<string | undefined> {
  // Spares a machine without Docker from loading all of testcontainers.
  if (!mayHaveDocker()) return undefined;
  const client = await docker().catch(() => undefined);
  if (client === undefined) return undefined;
  const { ImageName } = await import('testcontainers');
  const name = process.env['CONFIG_ROLLOUT_K3S_IMAGE'] ?? DEFAULT_IMAGE;
  const image = ImageName.fromString(name);
  try {
    log(`A Docker engine answers: looking for ${name}`);
    await client.image.pull(image);
    if (await client.image.exists(image)) return name;
    log(`${name} cannot be had, so looking further.`);
  } catch (error) {
    log(`${name} cannot be had, so looking further: ${messageOf(error).trim()}`);
  }
  return undefined;
}

export async function startK3s(starter: Starter, image: string): Promise<void> {
  const { files, log } = starter;
  const { K3sContainer } = await import('@testcontainers/k3s');
  // The label is known before the container exists, so `down` finds it whatever happens.
  starter.note({ node: 'k3s', container: files.dataDir, serverVersion: image.replace(/.*:/, '') });
  writeAuditFiles(files);
  const server = ['server', '--disable=traefik', '--disable=metrics-server'];
  const audit = auditArguments(INSIDE.auditLog, INSIDE.auditPolicy);
  const kubeconfig = await timed(log, `k3s runs in Docker (${image})`, async () => {
    const started = await new K3sContainer(image)
      .withLabels({ [LABEL]: files.dataDir })
      .withAutoCleanup(false)
      .withBindMounts([
        // The first is what K3sContainer asks for itself: this call replaces its list.
        { source: '/sys/fs/cgroup', target: '/sys/fs/cgroup' },
        { source: files.auditLog, target: INSIDE.auditLog },
        { source: files.auditPolicy, target: INSIDE.auditPolicy },
      ])
      .withCommand([...server, ...audit.map((argument) => argument.replace(/^--/, '--kube-apiserver-arg='))])
      .start()
      .catch((error) => {
        throw new Problem(`k3s did not start in Docker: ${messageOf(error)}.`);
      });
    return started.getKubeConfig();
  });
  writeFileSync(files.kubeconfig, kubeconfig, { mode: 0o600 });
  starter.note({ server: serverOf(files.kubeconfig) });
  const kubectl = await kubectlPath();
  const ask = async () => {
    const args = ['get', 'serviceaccount', 'default'];
    await promisify(execFile)(kubectl, args, { env: kubectlEnvironment(files.kubeconfig) });
    return true;
  };
  await starter.until('The controller manager made no default ServiceAccount', 60, ask);
}

function serverOf(kubeconfig: string): string {
  const { clusters } = parse(readFileSync(kubeconfig, 'utf8')) as { clusters: { cluster: { server: string } }[] };
  return clusters[0]?.cluster.server ?? '';
}

/** Through a file in the container, by the containerd that k3s brings. Gives what that printed. */
export async function loadIntoK3s(label: string, archive: string): Promise<string> {
  const { container } = await docker();
  const [found] = await container.dockerode.listContainers({ filters: { label: [`${LABEL}=${label}`] } });
  if (found === undefined) throw new Problem('The container of this cluster does not run.');
  const running = container.dockerode.getContainer(found.Id);
  const name = 'images.tar';
  await running.putArchive(tar([{ path: name, mode: 0o600, content: readFileSync(archive) }]), { path: '/tmp' });
  const importing = ['ctr', '--namespace', 'k8s.io', 'images', 'import', `/tmp/${name}`];
  const { output, exitCode } = await container.exec(running, importing);
  if (exitCode !== 0) throw new Problem(`containerd did not take ${archive}: ${output.trim()}.`);
  await container.exec(running, ['rm', `/tmp/${name}`]);
  return output;
}

export async function k3sRuns(label: string): Promise<boolean> {
  const { container } = await docker();
  const found = await container.dockerode.listContainers({ filters: { label: [`${LABEL}=${label}`] } });
  return found.length > 0;
}

export async function removeK3s(label: string): Promise<void> {
  const { container } = await docker();
  const found = await container.dockerode.listContainers({ all: true, filters: { label: [`${LABEL}=${label}`] } });
  for (const { Id } of found) await container.dockerode.getContainer(Id).remove({ force: true, v: true });
}
