// Every call, however it ends, in the metrics and, where the level asks for it, in the log.

import type { DescMethod } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import type { Logger } from '../../telemetry/logger.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { CallContext, CallObserver, CallOutcome } from './call-context.ts';

/**
 * Creates the observer. A fault of ours is logged as an error with its cause; a failure of etcd as a warning, at most one a second
 * for each reason, with the number left out since; everything else at `debug`.
 */
export function createCallObserver(log: Logger, metrics: Metrics): CallObserver {
  const limiter = createLimiter();
  return {
    began(call) {
      metrics.calls.began(rpcName(call), call.protocol);
    },

    ended(call, outcome) {
      const rpc = rpcName(call);
      const durationMs = performance.now() - call.startMs;
      const code = outcome.code === undefined ? 'ok' : codeName(outcome.code);
      metrics.calls.ended(rpc, call.protocol, { code, reason: outcome.reason ?? '' }, durationMs / 1_000);
      const level = levelOf(outcome);
      if (!log.isLevelEnabled(level)) return;
      const suppressed = level === 'warn' ? limiter.admit(outcome.reason ?? code) : 0;
      if (suppressed === undefined) return;
      log[level](
        {
          requestId: call.requestId,
          rpc,
          protocol: call.protocol,
          peer: call.peer,
          code,
          ...(outcome.reason !== undefined && { reason: outcome.reason }),
          durationMs: Math.round(durationMs * 1_000) / 1_000,
          ...(suppressed > 0 && { suppressed }),
          ...(level === 'warn' && { cause: causeOf(outcome.error) }),
          ...(level === 'error' && { error: rootOf(outcome.error) }),
        },
        'call ended',
      );
    },
  };
}

const names = new WeakMap<DescMethod, string>();

function rpcName({ method }: CallContext): string {
  const known = names.get(method);
  if (known !== undefined) return known;
  const name = `${method.parent.typeName}/${method.name}`;
  names.set(method, name);
  return name;
}

/** As protocols write it: `not_found`. */
function codeName(code: Code): string {
  return (Code[code] ?? String(code)).replace(/(?<!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

/** What a Connect error was made from; it says nothing of the cause itself. */
function rootOf(error: unknown): unknown {
  return error instanceof ConnectError && error.cause !== undefined ? error.cause : error;
}

/** The messages from the error down to its first cause. */
function causeOf(error: unknown): string {
  const messages: string[] = [];
  for (let each = rootOf(error); each instanceof Error; each = each.cause) messages.push(each.message);
  return messages.join(': ');
}

function levelOf({ code, reason }: CallOutcome): 'error' | 'warn' | 'debug' {
  if (code === Code.Internal || code === Code.Unknown || code === Code.DataLoss) return 'error';
  if (code === Code.Unavailable && reason !== 'SHUTTING_DOWN') return 'warn';
  if (reason?.startsWith('STORE_')) return 'warn';
  return 'debug';
}

const WARNING_INTERVAL_MS = 1_000;

/** Lets one warning of each reason through a second: when etcd is gone, every call fails. */
function createLimiter() {
  const states = new Map<string, { readonly sinceMs: number; suppressed: number }>();
  return {
    /** Returns how many were held back since the last, or undefined for one that is held back. */
    admit(reason: string): number | undefined {
      const state = states.get(reason);
      const nowMs = performance.now();
      if (state !== undefined && nowMs - state.sinceMs < WARNING_INTERVAL_MS) {
        state.suppressed += 1;
        return undefined;
      }
      states.set(reason, { sinceMs: nowMs, suppressed: 0 });
      return state?.suppressed ?? 0;
    },
  };
}
