// AdmissionReview of admission.k8s.io/v1: the JSON around a question and its answer.

import type { AdmissionAnswer, AdmissionRequest } from '../app/admission.ts';

const API_VERSION = 'admission.k8s.io/v1';

/** What the sender did wrong. */
export class BadReview extends Error {
  override readonly name = 'BadReview';
}

/** Throws BadReview for anything that is not the v1 review of a request. */
export function readReview(text: string): AdmissionRequest {
  const review = object(parse(text));
  if (review['apiVersion'] !== API_VERSION || review['kind'] !== 'AdmissionReview') {
    throw new BadReview(`the body is no AdmissionReview of ${API_VERSION}`);
  }
  const request = object(review['request']);
  const kind = object(request['kind']);
  const user = object(request['userInfo']);
  const groups = user['groups'];
  const uid = string(request['uid']);
  if (uid === '') throw new BadReview('the AdmissionReview has no request with a uid');
  return {
    uid,
    operation: string(request['operation']),
    kind: { group: string(kind['group']), kind: string(kind['kind']) },
    namespace: string(request['namespace']),
    name: string(request['name']),
    object: request['object'] ?? undefined,
    oldObject: request['oldObject'] ?? undefined,
    dryRun: request['dryRun'] === true,
    user: { name: string(user['username']), groups: Array.isArray(groups) ? groups.map(string) : [] },
    fieldManager: string(object(request['options'])['fieldManager']) || undefined,
  };
}

// Longer ones are cut by the API server, at a place of its choice.
const LONGEST_WARNING = 256;

/** The AdmissionReview that answers the request with that uid; JSON. */
export function writeReview(uid: string, { refusal, operations = [], warnings = [] }: AdmissionAnswer): string {
  const patch = Buffer.from(JSON.stringify(operations)).toString('base64');
  return JSON.stringify({
    apiVersion: API_VERSION,
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed: refusal === undefined,
      ...(refusal !== undefined && { status: { code: 403, reason: 'Forbidden', message: refusal } }),
      ...(operations.length > 0 && { patchType: 'JSONPatch', patch }),
      ...(warnings.length > 0 && { warnings: warnings.map(clip) }),
    },
  });
}

function clip(text: string): string {
  return text.length > LONGEST_WARNING ? `${text.slice(0, LONGEST_WARNING - 1)}…` : text;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BadReview('the body is no JSON');
  }
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function string(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
