// The `Warning` headers of the API server: deprecated APIs, Pod Security, what an admission webhook has to say. Read as
// Go's clients read them, so that a warning that kubectl shows is shown here too.

// One warning: code, agent, quoted text, perhaps a quoted date. Sticky: what follows a malformed one cannot be trusted.
const WARNING = /[ \t]*(\d{3}) [^ \t]+ "((?:[^"\\]|\\.)*)"[ \t]*(?:"[^"]*"[ \t]*)?(?:,|$)/gy;
const MISCELLANEOUS = '299';

/** RFC 2616 had text outside of ASCII written so; RFC 7234 dropped that, and Go's clients still read it. */
const ENCODED_WORD = /=\?(utf-8|iso-8859-1|us-ascii)\?([bq])\?([^? ]*)\?=(?:\s+(?==\?))?/gi;

/** The texts of code 299, one header after the other: `values` are the headers' values as Node decodes them. */
export function warningTexts(values: readonly string[] = []): string[] {
  return values
    .flatMap((value) => [...value.matchAll(WARNING)])
    .filter(([, code]) => code === MISCELLANEOUS)
    .map(([, , quoted = '']) => plain(quoted))
    .filter((text) => text !== '');
}

/** Empty for bytes that are no text. */
function plain(quoted: string): string {
  try {
    // Node decodes headers byte by byte; the API server sends UTF-8.
    const text = decode('utf-8', Buffer.from(quoted.replace(/\\(.)/g, '$1'), 'latin1'));
    // Control characters would reach a terminal.
    return decodeWords(text).replace(/\p{Cc}/gu, '');
  } catch {
    return '';
  }
}

function decodeWords(text: string): string {
  return text.replace(ENCODED_WORD, (_, charset: string, encoding: string, content: string) =>
    decode(charset, encoding.toLowerCase() === 'b' ? Buffer.from(content, 'base64') : quotedPrintable(content)),
  );
}

function quotedPrintable(content: string): Buffer {
  const bytes = content
    .replaceAll('_', ' ')
    .replace(/=([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1');
}

function decode(charset: string, bytes: Buffer): string {
  return new TextDecoder(charset, { fatal: true, ignoreBOM: true }).decode(bytes);
}
