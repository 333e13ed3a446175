// What a release has besides: for krew, an archive that unpacks to a plugin and a manifest that it can be checked by; and
// the list of the packages in the bundles.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { kubectlPath } from '../../hack/embedded/kubectl.ts';
import { krewPlugin } from '../../hack/release/krew.ts';
import { sbom } from '../../hack/release/sbom.ts';

const license = readFileSync('LICENSE');
const plugin = Buffer.from('#!/bin/sh\necho "called as $0 with $*"\n');
const release = { version: '1.2.3', baseUrl: undefined, plugin, license };

test('the archive has the plugin, which runs, and the license', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'config-rollout-krew-'));
  try {
    const { archiveName, archive } = krewPlugin(release);
    expect(archiveName).toBe('config-rollout-v1.2.3.tar.gz');
    const path = join(folder, archiveName);
    writeFileSync(path, archive);
    execFileSync('tar', ['xzf', path, '-C', folder]);
    rmSync(path);
    expect(readdirSync(folder).sort()).toEqual(['LICENSE', 'kubectl-config_rollout']);
    expect(readFileSync(join(folder, 'LICENSE'), 'utf8')).toMatch(/Apache License\s+Version 2\.0/);
    expect(statSync(join(folder, 'kubectl-config_rollout')).mode & 0o777).toBe(0o755);
    const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}`, KUBECONFIG: '' };
    const printed = execFileSync(await kubectlPath(), ['config-rollout', 'help'], { env, encoding: 'utf8' });
    expect(printed).toBe(`called as ${folder}/kubectl-config_rollout with help\n`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);

test('the manifest names the archive and its sum, for each platform', () => {
  const { archive, manifest } = krewPlugin(release);
  const { apiVersion, kind, metadata, spec } = parse(manifest);
  expect([apiVersion, kind]).toEqual(['krew.googlecontainertools.github.com/v1alpha2', 'Plugin']);
  expect(metadata).toEqual({ name: 'config-rollout' });
  expect(spec.version).toBe('v1.2.3');
  expect(spec.shortDescription.length).toBeLessThanOrEqual(50);
  expect(spec.caveats).toContain('Node 22.19');
  const platforms = spec.platforms.map(({ selector }: { selector: { matchLabels: Record<string, string> } }) =>
    Object.values(selector.matchLabels).join('/'),
  );
  expect(platforms).toEqual(['linux/amd64', 'linux/arm64', 'darwin/amd64', 'darwin/arm64']);
  const sha256 = createHash('sha256').update(archive).digest('hex');
  for (const platform of spec.platforms) {
    expect(platform).toMatchObject({ sha256, bin: 'kubectl-config_rollout' });
    expect(platform.uri).toMatch(/^https:\/\/.*\/v1\.2\.3\/config-rollout-v1\.2\.3\.tar\.gz$/);
  }
});

test('the same input gives the same bytes, and the address is a parameter', () => {
  const there = krewPlugin({ ...release, baseUrl: 'https://files.example.org/krew/' });
  expect(there.archive.equals(krewPlugin(release).archive)).toBe(true);
  expect(there.manifest).toContain('uri: https://files.example.org/krew/config-rollout-v1.2.3.tar.gz\n');
});

test('the SBOM lists the project, what it depends on, and nothing that it is only developed with', () => {
  const { name, version, dependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  const { bomFormat, metadata, components } = JSON.parse(sbom(name));
  expect(bomFormat).toBe('CycloneDX');
  expect(metadata.component).toMatchObject({ name, version, type: 'application' });
  const names = components.map((component: { name: string }) => component.name);
  expect(names).toEqual(expect.arrayContaining(Object.keys(dependencies)));
  // Some are there all the same, because a dependency has them.
  for (const tool of ['jest', '@biomejs/biome', 'typescript', 'esbuild', 'testcontainers']) {
    expect(devDependencies).toHaveProperty([tool]);
    expect(names).not.toContain(tool);
  }
}, 60_000);
