// Bundles each executable into one file of dist/, that starts fast and needs no node_modules beside it.

import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { build, type Plugin } from 'esbuild';

const OUT = 'dist';
const PLUGINS = ['kubectl-set_owner', 'kubectl-set_volume', 'kubectl-config_rollout'];

// Of client-node only KubeConfig is used. What it imports besides, HTTP client and generated classes, costs 50 MB and
// 0.1 s at each start, and never runs: requests are made by controller/kube/client.ts.
const trimClientNode: Plugin = {
  name: 'trim-client-node',
  setup({ onResolve, onLoad }) {
    const config = new URL('../node_modules/@kubernetes/client-node/dist/config.js', import.meta.url).pathname;
    onResolve({ filter: /^@kubernetes\/client-node$/ }, () => ({ path: config }));
    onResolve(
      { filter: /^(undici|openid-client|socks|socks-proxy-agent)$|\/gen\/index\.js$|\/middleware\.js$/ },
      ({ path, importer }) =>
        importer.includes('@kubernetes/client-node') && !KEPT.has(path) ? { path, namespace: 'trimmed' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'trimmed' }, () => ({ contents: 'module.exports = {};', loader: 'js' }));
  },
};
// Imported by KubeConfig, and used: proxies, and refreshing tokens by OpenID Connect.
const KEPT = new Set(['openid-client', 'socks-proxy-agent']);

// A clear word where the machine's `node` is too old. Plugins, that kubectl starts with that node, help themselves to the
// one that a checkout has beside dist/.
const TOO_OLD = `
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {`;
const REFUSE = `
  console.error('error: Node 22.19 or newer is needed; this is ' + process.versions.node);
  process.exit(1);
}`;
const USE_OWN = `
  const own = require('node:path').join(__dirname, '../node_modules/node/bin/node');
  if (require('node:fs').existsSync(own)) {
    const args = process.argv.slice(1);
    process.exit(require('node:child_process').spawnSync(own, args, { stdio: 'inherit' }).status ?? 1);
  }`;

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT);
// Extensionless files are CommonJS wherever they are copied to, unless the package says otherwise, as ours does.
writeFileSync(`${OUT}/package.json`, '{ "type": "commonjs" }\n');
await bundle('controller/main.ts', 'config-rollout-controller', TOO_OLD + REFUSE);
await bundle('controller/cli/main.ts', PLUGINS[0] ?? '', TOO_OLD + USE_OWN + REFUSE);
// One program, that looks at the name by which it was called.
for (const name of PLUGINS.slice(1)) copyFileSync(`${OUT}/${PLUGINS[0]}`, `${OUT}/${name}`);
for (const name of ['config-rollout-controller', ...PLUGINS]) chmodSync(`${OUT}/${name}`, 0o755);

async function bundle(entry: string, name: string, start: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile: `${OUT}/${name}`,
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'cjs',
    minifySyntax: true,
    banner: { js: `#!/usr/bin/env node${start}` },
    legalComments: 'eof',
    plugins: [trimClientNode],
    logLevel: 'warning',
  });
}
