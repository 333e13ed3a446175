import { describe, expect, test } from '@jest/globals';
import { dryRunOf, requestTimeoutOf } from '../../controller/cli/common-flags.ts';
import { type FlagTable, parseFlags } from '../../controller/cli/flags.ts';

const TABLE = {
  namespace: { type: 'text', short: 'n', usage: '' },
  'dry-run': { type: 'text', bare: 'unchanged', usage: '' },
  'configmap-name': { type: 'text', alias: 'configmapname', usage: '' },
  remove: { type: 'switch', usage: '' },
  all: { type: 'switch', short: 'A', usage: '' },
  watch: { type: 'text', short: 'w', bare: 'true', usage: '' },
  help: { type: 'switch', short: 'h', usage: '' },
  group: { type: 'list', usage: '' },
  file: { type: 'csv', usage: '' },
} as const satisfies FlagTable;

const given = (...argv: string[]) => parseFlags(argv, TABLE);

describe('flags as pflag reads them', () => {
  test.each([
    [['--namespace', 'x'], { namespace: 'x' }],
    [['--namespace=x'], { namespace: 'x' }],
    [['--namespace='], { namespace: '' }],
    [['-n', 'x'], { namespace: 'x' }],
    [['-nx'], { namespace: 'x' }],
    [['-n=x'], { namespace: 'x' }],
    [['--namespace', '--remove'], { namespace: '--remove', remove: false }],
    [['--namespace', 'x', '--namespace', 'y'], { namespace: 'y' }],
    [['--remove'], { remove: true }],
    [['--remove=false'], { remove: false }],
    [['--remove', '--remove=F'], { remove: false }],
    [['--dry-run'], { 'dry-run': 'unchanged' }],
    [['--dry-run=server'], { 'dry-run': 'server' }],
    [['--configmapname', 'foo'], { 'configmap-name': 'foo' }],
    [['--configmap-name=foo'], { 'configmap-name': 'foo' }],
    [['--group', 'a,b', '--group=c'], { group: ['a,b', 'c'] }],
    [['--file', 'a,b', '--file=c'], { file: ['a', 'b', 'c'] }],
    [['--file', '"a,b",c""d'], { file: ['a,b', 'c""d'] }],
    [['-h'], { help: true }],
    [['-A=true'], { all: true }],
    [['-A', '-A=f'], { all: false }],
    [['-hA=0'], { help: true, all: false }],
    [['-Aw'], { all: true, watch: 'true' }],
    [['-w=false'], { watch: 'false', namespace: undefined }],
    [['-Aw=F'], { all: true, watch: 'false' }],
    [['-w=true', '-n', 'x'], { watch: 'true', namespace: 'x' }],
    [['--watch'], { watch: 'true' }],
    [['--watch=1'], { watch: 'true' }],
    [['--watch=False'], { watch: 'false' }],
    // The value of the one before it, or a part of its own.
    [['-n', '-w=false'], { namespace: '-w=false', watch: undefined }],
    [['-An', '-w=false'], { all: true, namespace: '-w=false', watch: undefined }],
    [['--namespace', '-w=false'], { namespace: '-w=false', watch: undefined }],
    [['-nA=true'], { namespace: 'A=true', all: false }],
    [['-n=-w=1'], { namespace: '-w=1', watch: undefined }],
    [[], { namespace: undefined, remove: false, group: [], file: [], 'dry-run': undefined }],
  ])('%j', (argv, flags) => {
    expect(given(...argv).flags).toMatchObject(flags);
    expect(given(...argv).args).toEqual([]);
  });

  test.each([
    [
      ['a', '--remove', 'b', '-n', 'x', 'c'],
      ['a', 'b', 'c'],
    ],
    [
      ['a', '--', '--remove', '-n'],
      ['a', '--remove', '-n'],
    ],
    [['--dry-run', 'client'], ['client']],
    [
      ['-w', 'false', '--', '-w=false'],
      ['false', '-w=false'],
    ],
    [['-'], ['-']],
  ])('arguments of %j', (argv, args) => {
    expect(given(...argv).args).toEqual(args);
  });

  test.each([
    [['--nope'], 'unknown flag: --nope'],
    [['--nope=1'], 'unknown flag: --nope'],
    [['-x'], "unknown shorthand flag: 'x' in -x"],
    [['-x=1'], "unknown shorthand flag: 'x' in -x=1"],
    [['-A='], "unknown shorthand flag: '=' in -A="],
    [['-A=n'], 'invalid argument "n" for "-A, --all" flag: it is true or false'],
    [['-w=yes', 'x'], 'invalid argument "yes" for "-w, --watch" flag: it is true or false'],
    [['--watch='], 'invalid argument "" for "-w, --watch" flag: it is true or false'],
    [['-xyz'], "unknown shorthand flag: 'x' in -xyz"],
    [['--namespace'], 'flag needs an argument: --namespace'],
    [['-n'], "flag needs an argument: 'n' in -n"],
    [['--remove=maybe'], 'invalid argument "maybe" for "--remove" flag: it is true or false'],
    [['--toString'], 'unknown flag: --toString'],
  ])('%j is refused', (argv, message) => {
    expect(() => given(...argv)).toThrow(message);
  });
});

describe('--dry-run', () => {
  test.each(['none', 'client', 'server'])('%s', (value) => {
    expect(dryRunOf({ 'dry-run': value }, () => undefined)).toBe(value);
  });

  test('alone means client, and says so as kubectl does', () => {
    const warnings: string[] = [];
    expect(dryRunOf({ 'dry-run': 'unchanged' }, (text) => warnings.push(text))).toBe('client');
    expect(warnings).toEqual(['--dry-run is deprecated and can be replaced with --dry-run=client.']);
  });

  test('refuses anything else', () => {
    expect(() => dryRunOf({ 'dry-run': 'true' }, () => undefined)).toThrow('Invalid dry-run value (true).');
  });
});

describe('--request-timeout', () => {
  test.each([
    [undefined, undefined],
    ['5', 5_000],
    ['1s', 1_000],
    ['1.5m', 90_000],
    ['200ms', 200],
    ['0', 2 ** 31 - 1],
    ['9000h', 2 ** 31 - 1],
  ])('%s is %s ms', (text, ms) => {
    expect(requestTimeoutOf({ 'request-timeout': text })).toBe(ms);
  });

  test('refuses what is no duration', () => {
    expect(() => requestTimeoutOf({ 'request-timeout': 'soon' })).toThrow('Invalid timeout value (soon).');
  });
});
