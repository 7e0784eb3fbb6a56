// What the process says of itself: logs, metrics, traces. Everything here is handed in, nothing is global.
// The logger writes one JSON object a line (or, for people, one readable line) to standard error; values and secrets never go in.

import { pino } from 'pino';

/** What is logged, from least to most. */
export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug';

/** How it is written. */
export type LogFormat = 'json' | 'text';

/** Writes structured log lines. Fields come first: `log.info({ port }, 'listening')`. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** Whether lines of this level are written; ask before a costly one is put together. */
  isLevelEnabled(level: Exclude<LogLevel, 'silent'>): boolean;
}

/** Where lines go. */
export interface LogStream {
  write(line: string): void;
}

/** Creates a logger. @param fields what every line has. Default: nothing */
export function createLogger(
  level: LogLevel,
  format: LogFormat,
  stream: LogStream,
  fields: Readonly<Record<string, string | number>> | null = null,
): Logger {
  const options = {
    level,
    base: fields,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { error: pino.stdSerializers.errWithCause },
  };
  return pino(options, format === 'json' ? stream : { write: (line) => stream.write(readable(line)) });
}

/** `12:34:56.789 info  message  field=value …`, with an error's stack on lines of its own. */
function readable(line: string): string {
  const { level, time, msg, error, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice(11, 23);
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${scalar(value)}`);
  const stack = error === undefined ? '' : `\n${stackOf(error)}`;
  return `${[clock, String(level).padEnd(5), msg, ...pairs].join(' ')}${stack}\n`;
}

function scalar(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}

function stackOf(error: unknown): string {
  const { stack } = error as { readonly stack?: string };
  return (stack ?? JSON.stringify(error)).replace(/^/gm, '    ');
}
