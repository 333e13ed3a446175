// What the API server asks an admission webhook, and what it is told, without the protocol around it.

import type { Operation } from 'fast-json-patch';
import { objectKey } from '../core/types.ts';

export interface AdmissionRequest {
  /** Of the request, not of the object. */
  readonly uid: string;
  readonly operation: string;
  readonly kind: { readonly group: string; readonly kind: string };
  readonly namespace: string;
  /** Empty when the server is going to make up a name. */
  readonly name: string;
  /** Raw JSON; undefined for a deletion. */
  readonly object: unknown;
  /** Raw JSON; undefined for a creation. */
  readonly oldObject: unknown;
  readonly dryRun: boolean;
  readonly user: { readonly name: string; readonly groups: readonly string[] };
  /** As the client named itself in its options; undefined when it did not. */
  readonly fieldManager: string | undefined;
}

/** The objectKey of what is asked about, as the queues and the log have it. */
export function keyOf(request: AdmissionRequest): string {
  return objectKey({ ...request, kind: request.kind.kind });
}

export interface AdmissionAnswer {
  /** Why the request is refused; undefined when it is not. */
  readonly refusal?: string | undefined;
  readonly operations?: readonly Operation[];
  readonly warnings?: readonly string[];
}

export const ALLOWED: AdmissionAnswer = {};

/** Answers one request; throws ClusterError when the API server cannot be asked. */
export type Admit = (request: AdmissionRequest) => Promise<AdmissionAnswer>;
