// Writes what a release has beside the executables: `sbom`, the npm packages in the bundles; `krew`, the kubectl plugin.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import packageJson from '../package.json' with { type: 'json' };
import { krewPlugin } from './release/krew.ts';
import { sbom } from './release/sbom.ts';

switch (process.argv[2]) {
  case 'sbom':
    mkdirSync('dist', { recursive: true });
    writeFileSync('dist/sbom.cdx.json', sbom(packageJson.name));
    console.log('dist/sbom.cdx.json');
    break;
  case 'krew': {
    const { archiveName, archive, manifest } = krewPlugin({
      version: packageJson.version,
      baseUrl: process.env['BASE_URL'] || undefined,
      plugin: readFileSync('dist/kubectl-config_rollout'),
      license: readFileSync('LICENSE'),
    });
    mkdirSync('dist/krew', { recursive: true });
    writeFileSync(`dist/krew/${archiveName}`, archive);
    writeFileSync('dist/krew/config-rollout.yaml', manifest);
    console.log(`dist/krew/${archiveName}\ndist/krew/config-rollout.yaml`);
    break;
  }
  default:
    console.error('error: say what to write: sbom or krew');
    process.exitCode = 1;
}
