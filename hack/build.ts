// Bundles each executable into one file of dist/, that starts fast and needs no node_modules beside it.

import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { build, type Plugin } from 'esbuild';
import { CONTROLLER_FLAGS } from './node-flags.ts';

const OUT = 'dist';
const NAMES = ['set_owner', 'set_volume', 'config_rollout'];
// The second is what kubectl runs to complete a command line of the first.
const PLUGINS = NAMES.flatMap((name) => [`kubectl-${name}`, `kubectl_complete-${name}`]);

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

// Where the machine's `node` is too old, a program helps itself to the one that a checkout has beside dist/, or says what
// is missing. (A file of CommonJS is a function: it may return.)
const START = `const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  const own = require('node:path').join(__dirname, '../node_modules/node/bin/node');
  if (!require('node:fs').existsSync(own)) {
    console.error('error: Node 22.19 or newer is needed; this is ' + process.versions.node);
    process.exit(1);
  }
  const child = require('node:child_process').spawn(own, [...process.execArgv, ...process.argv.slice(1)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code) => process.exit(code ?? 1));
  return;
}`;

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT);
// Extensionless files are CommonJS wherever they are copied to, unless the package says otherwise, as ours does.
writeFileSync(`${OUT}/package.json`, '{ "type": "commonjs" }\n');
await bundle('controller/main.ts', 'config-rollout-controller', `#!/usr/bin/env -S node ${CONTROLLER_FLAGS.join(' ')}`);
await bundle('controller/cli/main.ts', PLUGINS[0] ?? '');
// One program, that looks at the name by which it was called.
for (const name of PLUGINS.slice(1)) copyFileSync(`${OUT}/${PLUGINS[0]}`, `${OUT}/${name}`);
for (const name of ['config-rollout-controller', ...PLUGINS]) chmodSync(`${OUT}/${name}`, 0o755);

async function bundle(entry: string, name: string, interpreter = '#!/usr/bin/env node'): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile: `${OUT}/${name}`,
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'cjs',
    minifySyntax: true,
    banner: { js: `${interpreter}\n${START}` },
    legalComments: 'eof',
    plugins: [trimClientNode],
    logLevel: 'warning',
  });
}
