// The plan for the webhook's certificates, by tables: what one look leads to.

import { describe, expect, test } from '@jest/globals';
import {
  type CertificateFacts,
  type CertificateObservation,
  isDue,
  type SecretFacts,
  type ServingFacts,
  type TrustFacts,
  validityOf,
} from '../../controller/core/certificates.ts';
import { type CertificateAction, planCertificates } from '../../controller/core/plan-certificates.ts';

const NOW = Date.parse('2026-07-01T12:00:00Z');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const HOST = 'hook.ours.svc';

const ca = (fingerprint: string, madeAt = NOW - DAY): CertificateFacts => ({
  fingerprint,
  ...validityOf('authority', madeAt),
});
const A = ca('A');
const B = ca('B', NOW - HOUR);

const leaf = (changes: Partial<ServingFacts> = {}): ServingFacts => ({
  fingerprint: `${changes.issuer ?? 'A'}-leaf`,
  ...validityOf('serving', NOW - DAY),
  hosts: [HOST],
  issuer: 'A',
  hasKey: true,
  ...changes,
});
const secretOf = (changes: Partial<SecretFacts> = {}): SecretFacts => ({
  authorities: [A],
  canSign: true,
  serving: leaf(),
  ...changes,
});
/** Both configurations, with one webhook each. */
const trusting = (trusts: readonly CertificateFacts[], host = HOST): readonly TrustFacts[] => [
  { kind: 'MutatingWebhookConfiguration', resourceVersion: '7', webhooks: [{ host, trusts }] },
  { kind: 'ValidatingWebhookConfiguration', resourceVersion: '8', webhooks: [{ host: HOST, trusts }] },
];

/** All is well, since half an hour. */
const plan = (changes: Partial<CertificateObservation> = {}) =>
  planCertificates({
    mode: 'managed',
    secret: secretOf(),
    trust: trusting([A]),
    served: leaf(),
    unchangedSince: NOW - HOUR / 2,
    graceMs: 3000,
    now: NOW,
    ...changes,
  });

/** A line an action. */
function describeOne(action: CertificateAction): string {
  switch (action.type) {
    case 'Serve':
      return 'serve';
    case 'PatchCaBundles':
      return `${action.kind.slice(0, 3)}@${action.resourceVersion}: ${[...action.bundles].map(([index, names]) => `${index}=${names.join('+')}`).join(' ')}`;
    case 'WriteSecret': {
      const authorities = [action.authority === 'new' ? 'new' : 'same', ...action.formers].join('+');
      return `secret: ${authorities}, serving ${action.serving}${action.serving === 'new' ? ` for ${action.hosts.join(' ')}` : ''}`;
    }
    default:
      return action satisfies never;
  }
}
const actions = (changes: Partial<CertificateObservation>) => plan(changes).actions.map(describeOne);

type Row = readonly [name: string, changes: Partial<CertificateObservation>, ...expected: string[]];

describe('a look leads to', () => {
  test.each<Row>([
    ['nothing, when all is well', {}],
    [
      'a CA and a certificate, at the first',
      { secret: undefined, served: undefined, trust: trusting([]) },
      `secret: new, serving new for ${HOST}`,
    ],
    ['serving what is there, at a start', { served: undefined }, 'serve'],
    [
      'serving it at once, when what is served has ended',
      { served: leaf({ fingerprint: 'old', notAfter: NOW }), unchangedSince: NOW },
      'serve',
    ],
    [
      'a new certificate before the old one ends',
      { secret: secretOf({ serving: leaf(validityOf('serving', NOW - 61 * DAY)) }) },
      `secret: same, serving new for ${HOST}`,
    ],
    [
      'a new certificate when it has ended',
      { secret: secretOf({ serving: leaf({ notAfter: NOW }) }) },
      `secret: same, serving new for ${HOST}`,
    ],
    [
      'a new certificate when it is not valid yet',
      { secret: secretOf({ serving: leaf({ notBefore: NOW + 1 }) }) },
      `secret: same, serving new for ${HOST}`,
    ],
    [
      'a new certificate for all hosts',
      { trust: trusting([A], '10.0.0.1') },
      `secret: same, serving new for 10.0.0.1 ${HOST}`,
    ],
    ['nothing, for a host too many', { secret: secretOf({ serving: leaf({ hosts: ['x', HOST] }) }) }],
    ['nothing, when admission was removed', { trust: [] }],
    [
      'a certificate for nobody, when there never was admission',
      { trust: [], secret: undefined, served: undefined },
      'secret: new, serving new for ',
    ],
    [
      'another certificate for the same hosts, when admission was removed',
      { trust: [], secret: secretOf({ serving: leaf({ notAfter: NOW }) }) },
      `secret: same, serving new for ${HOST}`,
    ],
    [
      'a new certificate when nothing can be read',
      { secret: secretOf({ serving: undefined }) },
      `secret: same, serving new for ${HOST}`,
    ],
    [
      'a new certificate when the key is another',
      { secret: secretOf({ serving: leaf({ hasKey: false }) }) },
      `secret: same, serving new for ${HOST}`,
    ],
    [
      'a new certificate when the CA did not sign it',
      { secret: secretOf({ serving: leaf({ issuer: undefined }) }) },
      `secret: same, serving new for ${HOST}`,
    ],
  ])('%s', (_, changes, ...expected) => {
    expect(actions(changes)).toEqual(expected);
  });
});

describe('a new CA comes', () => {
  const rotated = secretOf({ authorities: [B, A] });
  const both = trusting([B, A]);
  test.each<Row>([
    [
      'when the old one ends soon, beside it',
      { secret: secretOf({ authorities: [ca('A', NOW - 244 * DAY)] }) },
      'secret: new+A, serving served',
    ],
    ['when its key is lost', { secret: secretOf({ canSign: false }) }, 'secret: new+A, serving served'],
    [
      'when its key is lost, beside all that are valid still',
      { secret: secretOf({ authorities: [A, B, { ...ca('C'), notAfter: NOW }], canSign: false }) },
      'Mut@7: 0=A+B+C',
      'Val@8: 0=A+B+C',
      'secret: new+A+B, serving served',
    ],
    [
      'when its key is lost at a start',
      { secret: secretOf({ canSign: false }), served: undefined },
      'serve',
      'secret: new+A, serving kept',
    ],
    [
      'when no CA can be read',
      { secret: secretOf({ authorities: [], canSign: false, serving: leaf({ issuer: undefined }) }) },
      'secret: new+A, serving served',
    ],
    ['when the Secret is gone', { secret: undefined }, 'secret: new+A, serving served'],
    [
      'without the old one, when that has ended',
      {
        secret: secretOf({ authorities: [{ ...A, notAfter: NOW }], serving: leaf({ notAfter: NOW }) }),
        served: undefined,
      },
      `secret: new, serving new for ${HOST}`,
    ],
    ['into the configurations next', { secret: rotated, unchangedSince: NOW }, 'Mut@7: 0=B+A', 'Val@8: 0=B+A'],
    [
      'into the one where it is missing',
      { secret: rotated, trust: [...trusting([B, A]).slice(0, 1), ...trusting([A]).slice(1)] },
      'Val@8: 0=B+A',
    ],
    [
      'and signs nothing as long as some API server may not know',
      { secret: rotated, trust: both, unchangedSince: NOW - 2999 },
    ],
    [
      'and signs after that',
      { secret: rotated, trust: both, unchangedSince: NOW - 3000 },
      `secret: same+A, serving new for ${HOST}`,
    ],
    [
      'and what it signed is not served as long as some API server may not know',
      {
        secret: secretOf({ authorities: [B, A], serving: leaf({ issuer: 'B' }) }),
        trust: both,
        unchangedSince: NOW - 2999,
      },
    ],
    [
      'and what it signed is served after that',
      {
        secret: secretOf({ authorities: [B, A], serving: leaf({ issuer: 'B' }) }),
        trust: both,
        unchangedSince: NOW - 3000,
      },
      'serve',
    ],
    [
      'and signs at once, when there is nothing else',
      {
        secret: secretOf({ authorities: [B, A], serving: leaf({ hasKey: false }) }),
        trust: trusting([A]),
        served: undefined,
      },
      'Mut@7: 0=B+A',
      'Val@8: 0=B+A',
      `secret: same+A, serving new for ${HOST}`,
    ],
    [
      'and what is served goes back, when only that is trusted',
      { secret: secretOf({ authorities: [B], serving: undefined }), trust: trusting([A]) },
      'Mut@7: 0=B+A',
      'Val@8: 0=B+A',
      'secret: same+A, serving served',
    ],
  ])('%s', (_, changes, ...expected) => {
    expect(actions(changes)).toEqual(expected);
  });

  const signed = {
    secret: secretOf({ authorities: [B, A], serving: leaf({ issuer: 'B' }) }),
    served: leaf({ issuer: 'B' }),
  };
  const alone = {
    secret: secretOf({ authorities: [B], serving: leaf({ issuer: 'B' }) }),
    served: leaf({ issuer: 'B' }),
  };
  const long = { unchangedSince: NOW - HOUR };
  test.each<Row>([
    ['as long as others may serve under it', { ...signed, trust: both }],
    ['in the Secret for an hour', { ...signed, trust: both, ...long }, 'secret: same, serving kept'],
    ['in the Secret as long as this one serves under it', { ...signed, served: leaf(), trust: both, ...long }, 'serve'],
    [
      'in the Secret as long as it is the one that signed',
      { secret: rotated, trust: trusting([A]), ...long },
      'Mut@7: 0=B+A',
      'Val@8: 0=B+A',
    ],
    ['in the configurations for another hour', { ...alone, trust: both }],
    ['and no longer', { ...alone, trust: both, ...long }, 'Mut@7: 0=B', 'Val@8: 0=B'],
    [
      'and no longer than it is valid',
      { ...alone, trust: trusting([B, { ...A, notAfter: NOW }]) },
      'Mut@7: 0=B',
      'Val@8: 0=B',
    ],
    [
      'as long as there is no Secret',
      { secret: undefined, served: leaf({ issuer: 'B' }), trust: both, ...long },
      'secret: new+B, serving served',
    ],
    [
      'of this replica, whatever the Secret says',
      { ...alone, served: leaf(), trust: trusting([B]), unchangedSince: NOW },
      'Mut@7: 0=B+A',
      'Val@8: 0=B+A',
    ],
  ])('and the former stays: %s', (_, changes, ...expected) => {
    expect(actions(changes)).toEqual(expected);
  });
});

describe('what is served', () => {
  test('is trusted when both have trusted it for a while', () => {
    expect(plan().isTrusted).toBe(true);
    expect(plan({ unchangedSince: NOW - 2999 })).toMatchObject({ isTrusted: false, requeueAfterMs: 1 });
    expect(plan({ trust: [...trusting([A]).slice(1), ...trusting([]).slice(0, 1)] }).isTrusted).toBe(false);
    expect(plan({ trust: [] }).isTrusted).toBe(true);
    expect(plan({ served: undefined, secret: undefined }).isTrusted).toBe(false);
  });
});

describe('what somebody else writes', () => {
  const external = (changes: Partial<CertificateObservation>) =>
    plan({ mode: 'external', trust: [], unchangedSince: NOW, ...changes });

  test.each<readonly [string, Partial<CertificateObservation>, string[], RegExp | undefined]>([
    ['is served', { served: undefined }, ['serve'], undefined],
    [
      'is served without any CA',
      { served: undefined, secret: secretOf({ authorities: [], serving: leaf({ issuer: undefined }) }) },
      ['serve'],
      undefined,
    ],
    [
      'replaces what was served',
      { secret: secretOf({ serving: leaf({ fingerprint: 'next' }) }) },
      ['serve'],
      undefined,
    ],
    [
      'is awaited',
      { secret: undefined, served: undefined },
      [],
      /^secret\/config-rollout-webhook-tls does not exist; see why/,
    ],
    [
      'is not served when it cannot be read',
      { secret: secretOf({ serving: undefined }) },
      [],
      /tls\.crt holds no certificate/,
    ],
    [
      'is not served without its key',
      { secret: secretOf({ serving: leaf({ hasKey: false }) }) },
      [],
      /tls\.key is not the key of tls\.crt/,
    ],
    [
      'is not served when it has ended',
      { secret: secretOf({ serving: leaf({ fingerprint: 'old', notAfter: NOW }) }) },
      [],
      /valid from 2026-.* to 2026-07-01T12:00:00/,
    ],
  ])('%s, and never written', (_, changes, expected, note) => {
    const { actions: planned, notes } = external(changes);
    expect(planned.map(describeOne)).toEqual(expected);
    expect(notes).toEqual(note === undefined ? [] : [expect.stringMatching(note)]);
  });
});

describe('dates', () => {
  test('are set back for slow clocks, and never beyond the issuer’s', () => {
    expect(validityOf('serving', NOW)).toEqual({ notBefore: NOW - 300_000, notAfter: NOW + 90 * DAY });
    expect(validityOf('authority', NOW)).toEqual({ notBefore: NOW - 300_000, notAfter: NOW + 365 * DAY });
    expect(validityOf('serving', NOW, { notBefore: 0, notAfter: NOW + DAY })).toMatchObject({ notAfter: NOW + DAY });
  });

  test.each([
    [0, false],
    [59, false],
    [60.1, true],
    [91, true],
    [-1, true],
  ])('make a certificate of %s days due: %s', (days, due) => {
    expect(isDue(validityOf('serving', NOW - days * DAY), NOW)).toBe(due);
  });

  test('leave a CA longer than any certificate that it signed', () => {
    for (let age = 0; age < 365; age++) {
      const issuer = validityOf('authority', NOW - age * DAY);
      if (!isDue(issuer, NOW)) expect(validityOf('serving', NOW, issuer).notAfter).toBe(NOW + 90 * DAY);
    }
  });
});
