// What the commands need of a cluster, and nothing more. connect.ts implements it; tests have it in memory.

import type { Operation } from 'fast-json-patch';
import type { ResourceName } from '../workloads/kind.ts';
import type { ConnectionFlags } from './common-flags.ts';

/** An API object as the server sent it, with all its fields, also those that nobody here has heard of. */
export type Json = { readonly [key: string]: unknown };

export type Patch =
  | { readonly type: 'merge'; readonly body: Json }
  | { readonly type: 'json'; readonly operations: readonly Operation[] };

export interface WriteOptions {
  readonly fieldManager: string;
  /** Ask the server to do all but store it. */
  readonly dryRun: boolean;
  /** Ask for an answer of metadata alone, so that the content is not sent back. */
  readonly metadataOnly?: boolean;
}

export interface ListOptions {
  /** Of every namespace, instead of the cluster's. */
  readonly allNamespaces?: boolean;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Each object's metadata alone, in the fields of the object. */
  readonly metadataOnly?: boolean;
}

/** One namespace of a cluster, and what is in none. All methods throw ServerError, and nothing else. */
export interface Cluster {
  readonly namespace: string;
  get(resource: ResourceName, name: string): Promise<Json>;
  /** The object's metadata alone, in the fields of the object. */
  getMetadata(resource: ResourceName, name: string): Promise<Json>;
  /** The same of an object that is in no namespace. */
  getClusterScopedMetadata(resource: ResourceName, name: string): Promise<Json>;
  /** Asks for page after page, as they are taken. NotFound when the server does not know the resource. */
  list(resource: ResourceName, options?: ListOptions): AsyncIterable<Json>;
  /** Whether the server knows the resource: what may not be read and what is not there are both Forbidden. */
  serves(resource: ResourceName): Promise<boolean>;
  create(resource: ResourceName, body: Json, options: WriteOptions): Promise<Json>;
  patch(resource: ResourceName, name: string, patch: Patch, options: WriteOptions): Promise<Json>;
  /** The same cluster, at another namespace. */
  inNamespace(namespace: string): Cluster;
}

/** Throws an Error when there is no usable kubeconfig. Nothing is sent yet. */
export type Connect = (flags: ConnectionFlags) => Promise<Cluster>;
