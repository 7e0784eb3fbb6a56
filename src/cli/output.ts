// What a command prints: text and tables for people, JSON for scripts.
// Answers go to standard output, all else to standard error.

import { styleText } from 'node:util';
import { type DescMessage, type MessageShape, toJson } from '@bufbuild/protobuf';
import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import { type Failure, failureJson, failureLine } from './failure.ts';
import { type Column, layOutTable, printable } from './table.ts';

/** A stream of the process that is written to. */
export type Stream = Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'write' | 'getColorDepth'>;

/** How a text stands out, on a terminal. */
export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** What a command writes to. */
export interface Output {
  readonly isJson: boolean;
  /** Whether standard output is a terminal. */
  readonly isTerminal: boolean;
  /** Resolves when it is written, so that a reader that is slow slows the command and not its memory. */
  line(text: string): Promise<void>;
  /** As it is, nothing added. */
  bytes(bytes: Uint8Array): Promise<void>;
  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): Promise<void>;
  /** As proto JSON; several lines on a terminal, else one. */
  message<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Promise<void>;
  /** One line of proto JSON: an element of a stream. */
  element<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Promise<void>;
  /** The same for what is no message. */
  json(value: unknown): Promise<void>;
  paint(style: Style, text: string): string;
  /** One line on standard error, for people. Nothing with `--json`. */
  note(text: string): void;
  fail(failure: Failure): void;
  /** Standard error, where it is a terminal and a person reads it. */
  readonly progress: Stream | undefined;
}

/** What an output depends on. */
export interface OutputOptions {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly isJson: boolean;
  /** Whether colours are wanted where a terminal has them. */
  readonly hasColor: boolean;
}

/** Creates the output of one command. */
export function createOutput({ stdout, stderr, isJson, hasColor }: OutputOptions): Output {
  const isTerminal = stdout.isTTY === true;
  const isPainted = isTerminal && hasColor;
  const write = (data: string | Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      stdout.write(data, (error) => (error ? reject(error) : resolve()));
    });
  const line = (text: string): Promise<void> => write(`${text}\n`);
  const paint = (style: Style, text: string): string =>
    isPainted && text !== '' ? styleText(style, text, { validateStream: false }) : text;
  return {
    isJson,
    isTerminal,
    line,
    bytes: write,
    async table(columns, rows) {
      const width = isTerminal ? stdout.columns : undefined;
      const lines = layOutTable(columns, rows, { width, paintTitle: (text) => paint('bold', text) });
      await line(lines.join('\n'));
    },
    message: (schema, message) =>
      line(JSON.stringify(toJson(schema, message), undefined, isTerminal ? 2 : undefined)),
    element: (schema, message) => line(JSON.stringify(toJson(schema, message))),
    json: (value) => line(JSON.stringify(value, undefined, isTerminal ? 2 : undefined)),
    paint,
    note(text) {
      if (!isJson) stderr.write(`concord: ${printable(text)}\n`);
    },
    fail(failure) {
      const text = isJson ? failureJson(failure) : printable(failureLine(failure));
      const isRed = stderr.isTTY === true && hasColor && !isJson;
      stderr.write(
        `${isRed ? text.replace(/^concord:/, styleText('red', 'concord:', { validateStream: false })) : text}\n`,
      );
    },
    progress: stderr.isTTY === true && !isJson ? stderr : undefined,
  };
}

/** Text as it is shown, bytes that are no text in base64. */
export function shown(text: string, bytes: Uint8Array): string {
  return bytes.length > 0 ? `base64:${Buffer.from(bytes).toString('base64')}` : printable(text);
}

/** A time to the second, in UTC; empty where it is not set. */
export function shownTime(time: Timestamp | undefined): string {
  return time === undefined
    ? ''
    : timestampDate(time)
        .toISOString()
        .replace(/\.\d+Z$/, 'Z');
}
