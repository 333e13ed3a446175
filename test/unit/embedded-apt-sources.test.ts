import { describe, expect, test } from '@jest/globals';
import { parseDeb822, parseSourcesList, withSourcePackages } from '../../hack/embedded/apt-sources.ts';

const deb822 = `# Debian's own
Types: deb
# a comment in between
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

Types: deb
URIs: https://packages.example/node
Suites: nodistro
Components: main
`;

const oneLine = `# deb http://old.example/debian bookworm main
deb [arch=amd64 signed-by=/a.gpg] http://mirror.example/debian/ bookworm main non-free # mine
deb http://mirror.example/debian-security bookworm-security main
deb-src http://mirror.example/debian bookworm main
deb https://download.example/linux/other bookworm stable
deb http://mirror.example/debian trixie main
`;

describe("Debian's own mirrors, with their source packages", () => {
  test('are taken from *.sources files', () => {
    const result = withSourcePackages(parseDeb822(deb822), 'bookworm') ?? '';
    expect(parseDeb822(result)).toEqual([
      {
        Types: 'deb deb-src',
        Components: 'main',
        URIs: 'http://mirror.example/debian',
        Suites: 'bookworm bookworm-updates',
        'Signed-By': '/usr/share/keyrings/debian-archive-keyring.gpg',
      },
      {
        Types: 'deb deb-src',
        Components: 'main',
        URIs: 'http://mirror.example/debian-security',
        Suites: 'bookworm-security',
        'Signed-By': '\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc',
      },
    ]);
  });

  test('are taken from sources.list, without comments, other releases and other repositories', () => {
    const result = withSourcePackages(parseSourcesList(oneLine), 'bookworm') ?? '';
    expect(parseDeb822(result)).toEqual([
      {
        Types: 'deb deb-src',
        Components: 'main',
        URIs: 'http://mirror.example/debian/',
        Suites: 'bookworm',
        'Signed-By': '/a.gpg',
      },
      {
        Types: 'deb deb-src',
        Components: 'main',
        URIs: 'http://mirror.example/debian-security',
        Suites: 'bookworm-security',
      },
    ]);
  });

  test('a disabled entry does not count', () => {
    expect(withSourcePackages(parseDeb822(deb822.replaceAll('Types:', 'Enabled: no\nTypes:')), 'bookworm')).toBe(
      undefined,
    );
  });

  test('none is said to be none', () => {
    expect(withSourcePackages([], 'bookworm')).toBe(undefined);
  });
});
