/** The longest time-out that a timer of Node takes, in milliseconds: a longer one would fire after 1 ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const GRPC_TIMEOUT = /^(\d+)([HMS])$/;
const CONNECT_TIMEOUT = /^\d+$/;
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000 };

/**
 * Tells whether a header asks for a time-out of more than 2^31-1 ms (25 days), which is as good as none.
 *
 * The library would either refuse it or, with its own limit off, end the call after 1 ms.
 */
export function isBoundlessTimeout(name: string, value: string): boolean {
  switch (name) {
    case 'grpc-timeout': {
      const [, amount, unit] = GRPC_TIMEOUT.exec(value) ?? [];
      return unit !== undefined && Number(amount) * (UNIT_MS[unit] ?? 0) > MAX_TIMER_MS;
    }
    case 'connect-timeout-ms':
      return CONNECT_TIMEOUT.test(value) && Number(value) > MAX_TIMER_MS;
    default:
      return false;
  }
}

/**
 * Gives a call that has no time-out one of `timeoutMs` milliseconds, at most 99,999,999.
 *
 * A header is the only way: the library takes a call's deadline from nowhere else.
 */
export function giveTimeout(
  header: Headers,
  protocol: 'grpc' | 'grpc-web' | 'connect',
  timeoutMs: number,
): void {
  const name = protocol === 'connect' ? 'connect-timeout-ms' : 'grpc-timeout';
  if (header.has(name)) return;
  header.set(name, protocol === 'connect' ? String(timeoutMs) : `${timeoutMs}m`);
}
