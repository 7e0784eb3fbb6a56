import { createConnectTransport } from '@connectrpc/connect-node';
import { openKvClient } from '../../support/kv-client.ts';
import type { History } from '../../support/linearizability/history.ts';
import type { RegisterCalls } from './ask-register.ts';
import { runRegisterClient } from './register-client.ts';

/** Clients at work. */
export interface RegisterClientsOptions {
  /** Addresses; neighbours begin at different ones. */
  readonly gateways: readonly string[];
  /** What their keys begin with. None of these existed before. @default 'register/' */
  readonly prefix?: string;
  readonly history: History;
  /** Asked before each call of each client. */
  readonly goesOn: () => boolean;
  /** Clients that share `keys` keys, so that their calls meet. @default 20 */
  readonly clients?: number;
  /** @default 5 */
  readonly keys?: number;
  /** Further clients, each with a key of its own, so that there is more to be done at once. @default 30 */
  readonly lone?: number;
  /** Stands between a client and its gateway. @default nothing does */
  readonly wrap?: (calls: RegisterCalls) => RegisterCalls;
}

/** Runs them until none goes on; every second speaks gRPC, and every other Connect with JSON over HTTP/1.1. Rejects as one does. */
export async function runRegisterClients(options: RegisterClientsOptions): Promise<void> {
  const { gateways, history, goesOn, prefix = 'register/' } = options;
  const { clients = 20, keys = 5, lone = 30, wrap = (calls) => calls } = options;
  const shared = Array.from({ length: keys }, (_, i) => `${prefix}shared/${i}`);
  await Promise.all(
    Array.from({ length: clients + lone }, (_, number) =>
      runRegisterClient({
        number,
        gateways: gateways.map((_, i) => wrap(open(gateways[(number + i) % gateways.length] ?? '', number))),
        keys: number < clients ? shared : [`${prefix}lone/${number}`],
        history,
        goesOn,
      }),
    ),
  );
}

/** The protocol alternates with every pair, so that each gateway is called by both. */
function open(baseUrl: string, number: number): RegisterCalls {
  return Math.floor(number / 2) % 2 === 0
    ? openKvClient(baseUrl)
    : openKvClient(baseUrl, createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false }));
}
