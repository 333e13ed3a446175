// The image in Docker, by testcontainers: it starts with nothing but itself, as nobody, and works against a real API server.

import { createReadStream, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  GenericContainer,
  getContainerRuntimeClient,
  ImageName,
  type StartedTestContainer,
  Wait,
} from 'testcontainers';
import { controllerImageName } from '../../hack/image/controller-image.ts';
import { env } from '../support/controller.ts';
import { describeWith, imageArchivePath, obstacleOf } from './support/parts.ts';

/** Runs it to its end; gives all that it printed. */
async function output(...args: string[]): Promise<string> {
  let text = '';
  const container = await new GenericContainer(controllerImageName())
    .withCommand(args)
    .withLogConsumer((stream) => stream.on('data', (chunk) => (text += chunk)))
    .withWaitStrategy(Wait.forOneShotStartup())
    .start();
  await container.stop();
  return text;
}

describeWith('docker', 'the image in Docker', () => {
  let wasThere = true;

  beforeAll(async () => {
    const { container, image } = await getContainerRuntimeClient();
    wasThere = await image.exists(ImageName.fromString(controllerImageName()));
    const answer = await container.dockerode.loadImage(createReadStream(imageArchivePath()));
    let said = '';
    for await (const chunk of answer) said += chunk;
    expect(said).toContain(controllerImageName());
  });

  test('tells its version', async () => {
    expect(await output('--version')).toBe(`${controllerImageName().replace(/.*:/, '')}\n`);
  });

  test('tells its flags', async () => {
    expect(await output('--help')).toContain('Usage: config-rollout-controller');
  });

  test('holds no shell and no package manager', async () => {
    for (const path of ['/bin/sh', '/usr/bin/apt-get', '/usr/local/bin/npm']) {
      const container = new GenericContainer(controllerImageName()).withEntrypoint([path]);
      await expect(container.start()).rejects.toThrow(/no such file/);
    }
  });

  const withServer = obstacleOf('cluster') === undefined ? test : test.skip;
  let running: StartedTestContainer | undefined;

  afterAll(async () => {
    await running?.stop();
    if (wasThere) return;
    const { container } = await getContainerRuntimeClient();
    await container.dockerode.getImage(controllerImageName()).remove({ force: true });
  });

  withServer('works against a real API server', async () => {
    const kubeconfig = { content: readFileSync(env('TEST_KUBECONFIG'), 'utf8'), target: '/kubeconfig', mode: 0o444 };
    running = await new GenericContainer(controllerImageName())
      // The API server listens on this machine's own loopback interface.
      .withNetworkMode('host')
      .withCopyContentToContainer([kubeconfig])
      .withCommand(['--kubeconfig', kubeconfig.target, '--dry-run'])
      .withWaitStrategy(Wait.forLogMessage('caches are complete'))
      .start();
    const { container } = await getContainerRuntimeClient();
    const { Config } = await container.dockerode.getContainer(running.getId()).inspect();
    expect(Config.User).toBe('65532:65532');
  });
});
