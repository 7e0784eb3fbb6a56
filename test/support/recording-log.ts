import type { EmbeddedLog } from '../../src/embedded/embedded-log.ts';

/** A log that keeps what it is told. */
export interface RecordingLog extends EmbeddedLog {
  readonly entries: readonly LogEntry[];
}

/** One call of a log. */
export interface LogEntry {
  readonly level: 'info' | 'warn' | 'error';
  readonly fields: object;
  readonly message: string;
}

/** Creates a log that writes nowhere. */
export function createRecordingLog(): RecordingLog {
  const entries: LogEntry[] = [];
  const record =
    (level: LogEntry['level']) =>
    (fields: object, message: string): void => {
      entries.push({ level, fields, message });
    };
  return { entries, info: record('info'), warn: record('warn'), error: record('error') };
}
