// A kubeconfig that authenticates as a ServiceAccount, as a pod of it would.

import { execFileSync } from 'node:child_process';
import { parse, stringify } from 'yaml';
import { kubectlEnvironment } from './kubectl.ts';

/** The admin's kubeconfig with its user replaced by a token of the ServiceAccount; YAML. */
export function makeServiceAccountKubeconfig(kubectl: string, admin: string, namespace: string, name: string): string {
  const env = kubectlEnvironment(admin);
  const run = (...args: string[]) => execFileSync(kubectl, args, { env, encoding: 'utf8' });
  const token = run('create', 'token', name, '-n', namespace, '--duration', '12h').trim();
  const config = parse(run('config', 'view', '--raw', '--minify', '--flatten'));
  // A pod's own namespace, as its mounted token says it.
  config.contexts[0].context.namespace = namespace;
  config.users = [{ name: config.contexts[0].context.user, user: { token } }];
  return stringify(config);
}
