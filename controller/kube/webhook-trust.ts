// CertificatePort on the Kubernetes API: the Secret with the webhook's certificates, and the two configurations that tell
// API servers where to call, and whom to trust there.

import type { CertificateMaterial, CertificatePort, SecretRead, TrustRead } from '../app/certificate-ports.ts';
import { isFailure } from '../app/errors.ts';
import {
  CONFIGURATION_KINDS,
  CONFIGURATION_NAME,
  type ConfigurationKind,
  WEBHOOK_SECRET,
} from '../core/certificates.ts';
import { MANAGED_BY_LABEL, MANAGER } from '../core/names.ts';
import type { ResourceName } from '../workloads/kind.ts';
import type { KubeClient } from './client.ts';
import { translate } from './cluster.ts';
import { resourcePath } from './paths.ts';

interface RawSecret {
  readonly metadata: { readonly resourceVersion: string };
  readonly data?: Readonly<Record<string, string>>;
}

interface RawConfiguration {
  readonly metadata: { readonly resourceVersion: string };
  readonly webhooks?: readonly { readonly clientConfig: ClientConfig }[];
}

interface ClientConfig {
  readonly url?: string;
  readonly service?: { readonly name: string; readonly namespace: string };
  readonly caBundle?: string;
}

const SECRETS: ResourceName = { apiVersion: 'v1', kind: 'Secret', resource: 'secrets' };
const WRITE = { query: { fieldManager: MANAGER } };

export class WebhookTrust implements CertificatePort {
  readonly #client: KubeClient;
  readonly #namespace: string;

  /** @param namespace the controller's own, where the Secret is. */
  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  async readSecret(signal?: AbortSignal): Promise<SecretRead | undefined> {
    const raw = await this.#find<RawSecret>(resourcePath(SECRETS, this.#namespace, WEBHOOK_SECRET), signal);
    return raw && { resourceVersion: raw.metadata.resourceVersion, material: decode(raw), raw };
  }

  async writeSecret(
    material: CertificateMaterial,
    replaced: SecretRead | undefined,
    signal?: AbortSignal,
  ): Promise<void> {
    const data = Object.fromEntries(
      Object.entries(material).map(([key, pem]) => [key, Buffer.from(pem).toString('base64')]),
    );
    if (replaced === undefined) {
      const labels = { [MANAGED_BY_LABEL]: MANAGER };
      const metadata = { name: WEBHOOK_SECRET, namespace: this.#namespace, labels };
      const body = { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata, data };
      await this.#send('POST', resourcePath(SECRETS, this.#namespace), { ...WRITE, body }, signal);
      return;
    }
    // With the uid and resourceVersion that were read, and the type, which cannot be changed.
    const raw = replaced.raw as RawSecret;
    const body = { ...raw, data: { ...raw.data, ...data } };
    await this.#send('PUT', resourcePath(SECRETS, this.#namespace, WEBHOOK_SECRET), { ...WRITE, body }, signal);
  }

  async readTrust(signal?: AbortSignal): Promise<readonly TrustRead[]> {
    const found = CONFIGURATION_KINDS.map(async (kind) => {
      const raw = await this.#find<RawConfiguration>(configurationPath(kind), signal);
      return raw === undefined ? [] : [toTrust(kind, raw)];
    });
    return (await Promise.all(found)).flat();
  }

  async patchTrust(
    { kind, resourceVersion }: { readonly kind: ConfigurationKind; readonly resourceVersion: string },
    bundles: ReadonlyMap<number, string>,
    signal?: AbortSignal,
  ): Promise<void> {
    const body = [
      { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion },
      ...[...bundles].map(([index, pem]) => ({
        // Replaces the one that may be there.
        op: 'add',
        path: `/webhooks/${index}/clientConfig/caBundle`,
        value: Buffer.from(pem).toString('base64'),
      })),
    ];
    const options = { ...WRITE, body, contentType: 'application/json-patch+json' };
    await this.#send('PATCH', configurationPath(kind), options, signal);
  }

  async #find<T>(path: string, signal: AbortSignal | undefined): Promise<T | undefined> {
    try {
      return (await this.#send('GET', path, {}, signal)) as T;
    } catch (error) {
      if (isFailure(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async #send(
    method: Parameters<KubeClient['request']>[0],
    path: string,
    options: NonNullable<Parameters<KubeClient['request']>[2]>,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    try {
      return await this.#client.request(method, path, { ...options, ...(signal && { signal }) });
    } catch (error) {
      throw translate(error);
    }
  }
}

function configurationPath(kind: ConfigurationKind): string {
  const resource = `${kind.toLowerCase()}s`;
  const name = { apiVersion: 'admissionregistration.k8s.io/v1', kind, resource };
  return resourcePath(name, undefined, CONFIGURATION_NAME);
}

function decode({ data = {} }: RawSecret): CertificateMaterial {
  const text = (key: keyof CertificateMaterial) => Buffer.from(data[key] ?? '', 'base64').toString();
  return { 'ca.crt': text('ca.crt'), 'ca.key': text('ca.key'), 'tls.crt': text('tls.crt'), 'tls.key': text('tls.key') };
}

function toTrust(kind: ConfigurationKind, { metadata, webhooks = [] }: RawConfiguration): TrustRead {
  return {
    kind,
    resourceVersion: metadata.resourceVersion,
    webhooks: webhooks.map(({ clientConfig }) => ({
      host: hostOf(clientConfig),
      caBundle: Buffer.from(clientConfig.caBundle ?? '', 'base64').toString(),
    })),
  };
}

// What API servers compare the certificate with.
function hostOf({ service, url = '' }: ClientConfig): string {
  if (service !== undefined) return `${service.name}.${service.namespace}.svc`;
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[(.*)\]$/, '$1') : '';
}
