import type { TransferEntry } from '../domain/config/document.ts';

/** What stands unquoted: no reader of YAML 1.1 or 1.2 takes it for a number, a date or anything else but a text. */
const PLAIN = /^[A-Za-z_][\w./-]*$/;
const WORDS = /^(?:null|true|false|yes|no|on|off|y|n)$/i;
/** What JSON may hold as it is, and YAML, or a reader of YAML 1.1, may not. */
const UNPRINTABLE = /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g;
/** Lines that a block holds as they stand: the first begins with neither space nor tab, and the last is not empty. */
const BLOCK = /^[^\s](?:[^\n]*\n)+[^\n]*[^\s]\n?$/;
/** Of a key that is written before its value (YAML 1.2, 8.2.2). */
const MAX_KEY = 1_000;

/** Writes a part of a map. What is no text is JSON, which YAML holds as it is but for the spaces, on one line. */
export function writeYamlPart({ key, value }: TransferEntry, isText: boolean): string {
  const name = isPlain(key) ? key : quote(key);
  const written = isText ? writeText(value) : onOneLine(value);
  return name.length > MAX_KEY ? `? ${name}\n: ${written}` : `${name}: ${written}`;
}

function writeText(text: string): string {
  if (isPlain(text)) return text;
  if (!isBlock(text)) return quote(text);
  const [mark, lines] = text.endsWith('\n') ? ['|', text.slice(0, -1)] : ['|-', text];
  return `${mark}\n${lines
    .split('\n')
    .map((line) => (line === '' ? '' : `  ${line}`))
    .join('\n')}`;
}

function isPlain(text: string): boolean {
  return text.length < MAX_KEY && PLAIN.test(text) && !WORDS.test(text);
}

function isBlock(text: string): boolean {
  if (!text.includes('\n') || !BLOCK.test(text)) return false;
  return !/[^\P{Cc}\t\n]/u.test(text) && text.search(UNPRINTABLE) === -1;
}

function quote(text: string): string {
  return escapeUnprintable(JSON.stringify(text));
}

function onOneLine(json: string): string {
  // Texts are passed over whole, so that what is taken away stands between them.
  return escapeUnprintable(
    json.replace(/"(?:[^"\\]|\\.)*"|[\t\n\r ]+/g, (part) => (part.startsWith('"') ? part : '')),
  );
}

function escapeUnprintable(json: string): string {
  return json.replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
