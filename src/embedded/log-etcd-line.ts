import type { EmbeddedLog } from './embedded-log.ts';

/** Writes one line of etcd's JSON log to ours: what it warns of as a warning, what is worse as an error. */
export function logEtcdLine(log: EmbeddedLog, line: string): void {
  const entry = parse(line);
  if (entry === undefined) {
    log.warn({ line }, 'etcd');
    return;
  }
  const { level, msg, ts: _ts, ...fields } = entry;
  const message = `etcd: ${typeof msg === 'string' ? msg : 'no message'}`;
  if (level === 'warn' || level === 'info') log.warn(fields, message);
  else log.error(fields, message);
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    // Lines from before its logger starts, and Go's panics, are plain text.
    return undefined;
  }
}
