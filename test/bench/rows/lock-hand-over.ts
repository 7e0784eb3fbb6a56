import { setTimeout as delay } from 'node:timers/promises';
import {
  concordLocks,
  etcdLocksOnOneLease,
  type LockClient,
  type OpenLockClient,
} from '../calls/lock-calls.ts';
import { openCaller } from '../load/caller.ts';
import { type HandOver, measureHandOvers } from '../load/hand-overs.ts';
import { countInLine, expectNoLocks, LOCK_NAMES } from '../locks.ts';
import type { Bench, Finding, Row } from '../row.ts';
import { median, percentile } from '../statistics.ts';
import { takeTurns } from '../turns.ts';

const CONNECTIONS = 4;
/** One holds the lock, 100 wait. */
const CLIENTS = 101;
/** Longer than it takes to get in line again, and so short that each round has many hand-overs. */
const HOLD_MS = 10;
const POLL_MS = 20;

const CONCORD = 'Concord';
const ETCD = 'etcd';

/** How soon a lock that many wait for goes on to the next. */
export const lockHandOver: Row = {
  name: 'lock-hand-over',
  describes:
    "time from the Release of a lock, held for 10 ms each, to the next one's Acquire being answered, with 100 waiting on 4 connections over gRPC, against etcd's v3lock",
  async measure(bench) {
    const { etcd, gateway } = bench.peers;
    let runs = 0;
    const turn = (name: string, port: number, open: OpenLockClient) => ({
      name,
      measure: (seconds: number) =>
        passOn(bench, port, open, { name: `${LOCK_NAMES}hand-over-${runs++}`, seconds }),
    });
    const results = await takeTurns(
      bench,
      'lock-hand-over',
      [turn(CONCORD, gateway.port, concordLocks), turn(ETCD, etcd.port, etcdLocksOnOneLease)],
      { afterRound: () => expectNoLocks(bench) },
    );
    const finding = (
      from: string,
      select: (handOver: HandOver) => number,
      figure: string,
      summarize: (values: readonly number[]) => number,
    ): Finding => {
      const values = (name: string) => results(name).map((handOvers) => summarize(handOvers.map(select)));
      return {
        measure: `hand-over from ${from}, 100 waiting, ${figure}`,
        unit: 'ms',
        concord: values(CONCORD),
        peer: { name: 'etcd v3lock', values: values(ETCD) },
        compares: 'difference',
      };
    };
    const p99 = (values: readonly number[]) => percentile(values, 99);
    return [
      finding("Release's answer", ({ afterAnswerMs }) => afterAnswerMs, 'median', median),
      finding("Release's answer", ({ afterAnswerMs }) => afterAnswerMs, '99th percentile', p99),
      finding('sending Release', ({ wholeMs }) => wholeMs, 'median', median),
      finding('sending Release', ({ wholeMs }) => wholeMs, '99th percentile', p99),
    ];
  },
};

async function passOn(
  bench: Bench,
  port: number,
  open: OpenLockClient,
  { name, seconds }: { readonly name: string; readonly seconds: number },
): Promise<readonly HandOver[]> {
  const { signal } = bench;
  using connections = new DisposableStack();
  const clients: LockClient[] = [];
  const callers = await Promise.all(Array.from({ length: CONNECTIONS }, () => openCaller(port, bench)));
  for (const caller of callers) connections.use(caller);
  while (clients.length < CLIENTS) {
    for (const caller of callers.slice(0, CLIENTS - clients.length)) clients.push(await open(caller));
  }
  async function untilInLine(count: number): Promise<void> {
    while ((await countInLine(bench, name)) < count) await delay(POLL_MS, undefined, { signal });
  }
  const handOvers = await measureHandOvers(clients, name, {
    holdMs: HOLD_MS,
    seconds,
    untilInLine,
    signal,
  });
  await Promise.all(clients.map((client) => client.close()));
  return handOvers;
}
