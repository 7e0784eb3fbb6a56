import type { Logger } from './logger.ts';

/** Has what Node.js warns of go to the log, in its format, and not to standard error as it is. */
export function logWarnings(log: Logger): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => log.warn({ name, cause: message }, 'Node.js warns'));
}
