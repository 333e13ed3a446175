// Tar archives, written in memory: enough of the format (ustar) for an image of a few files.

export interface TarEntry {
  readonly path: string;
  readonly mode: number;
  readonly content?: Buffer;
  /** Target of a symbolic link. */
  readonly link?: string;
  readonly folder?: boolean;
}

const BLOCK = 512;

function typeOf({ link, folder }: TarEntry): string {
  if (link !== undefined) return '2';
  return folder === true ? '5' : '0';
}

function header(entry: TarEntry): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'ascii');
  if (Buffer.byteLength(entry.path) > 100) throw new Error(`path too long for this archive: ${entry.path}`);
  block.write(entry.path, 0);
  octal(entry.mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(entry.content?.length ?? 0, 124, 12);
  octal(0, 136, 12);
  block.write(' '.repeat(8), 148, 'ascii');
  block.write(typeOf(entry), 156, 'ascii');
  block.write(entry.link ?? '', 157);
  block.write('ustar\x0000', 257, 'ascii');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'ascii');
  return block;
}

export function tar(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const content = entry.content ?? Buffer.alloc(0);
    return [header(entry), content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}
