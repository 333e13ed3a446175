// The two ways to make the image agree with each other, and with the manifest that runs it.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { type Image, imageArchive } from '../../hack/embedded/image-archive.ts';
import { tar } from '../../hack/embedded/tar.ts';
import { controllerImageConfig, controllerImageName } from '../../hack/image/controller-image.ts';

const dockerfile = readFileSync('Dockerfile', 'utf8').replaceAll(/ \\\n */g, ' ');

/** The last instruction of that name, without the name. */
function instruction(name: string): string {
  return (
    dockerfile
      .match(new RegExp(`^${name} (.*)$`, 'gm'))
      ?.at(-1)
      ?.slice(name.length + 1) ?? ''
  );
}

/** KEY=value and KEY="value", with the arguments' defaults put in. */
function pairs(text: string): Record<string, string> {
  const found = [...text.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S+))/g)];
  return Object.fromEntries(
    found.map(([, key = '', quoted, plain]) => [
      key,
      (quoted ?? plain ?? '').replace(
        /\$\{(\w+)\}/g,
        (_, name) => pairs(dockerfile.match(/^ARG .*$/gm)?.join(' ') ?? '')[name] ?? '',
      ),
    ]),
  );
}

test('the Dockerfile and `make image` give the image the same configuration', () => {
  const { User, Env = [], Entrypoint, Labels } = controllerImageConfig();
  expect(instruction('USER')).toBe(User);
  expect(JSON.parse(instruction('ENTRYPOINT'))).toEqual(Entrypoint);
  expect(pairs(instruction('ENV'))).toEqual(pairs(Env.join(' ')));
  expect(pairs(instruction('LABEL'))).toEqual(Labels);
});

test('the Dockerfile names no registry: each image can be had from where the builder may', () => {
  const images = [...dockerfile.matchAll(/^ARG \w+=(\S+)$/gm)].map(([, value = '']) => value);
  expect(images).toContain('node:24-slim');
  for (const image of images) expect(image).not.toMatch(/^[^/]*[.:][^/]*\//);
});

test('the manifests run that image', () => {
  const documents = parseAllDocuments(readFileSync('manifests/install.yaml', 'utf8')).map((document) =>
    document.toJSON(),
  );
  const deployment = documents.find(({ kind }) => kind === 'Deployment');
  expect(deployment.spec.template.spec.containers[0].image).toBe(controllerImageName());
});

describe('the archive', () => {
  const image = (content: string): Image => ({
    name: 'a:1',
    layers: [tar([{ path: 'file', mode: 0o644, content: Buffer.from(content) }])],
    config: { User: '1:1' },
  });

  test('is the same whenever it is made of the same, and another when a layer is', () => {
    const first = imageArchive([image('x')]);
    expect(imageArchive([image('x')]).content.equals(first.content)).toBe(true);
    expect(imageArchive([image('y')]).ids.get('a:1')).not.toBe(first.ids.get('a:1'));
  });

  test('has a layer once that two images have', () => {
    const one = image('x');
    const both = imageArchive([one, { ...one, name: 'b:1', config: { User: '2:2' } }]);
    const alone = imageArchive([one]);
    const layers = (archive: Buffer) => archive.toString('latin1').match(/[0-9a-f]{64}\.tar\0/g);
    expect(layers(both.content)).toEqual(layers(alone.content));
    expect(both.ids.get('b:1')).not.toBe(both.ids.get('a:1'));
  });
});
