import {
  concordLocks,
  etcdLocksOnOneLease,
  etcdLocksOnOwnLeases,
  type LockClient,
  type OpenLockClient,
} from '../calls/lock-calls.ts';
import { type CycleClient, driveCycles } from '../load/drive-cycles.ts';
import type { LoadShape } from '../load/load.ts';
import { GRPC_SHAPE, LONE_SHAPE } from '../load/shapes.ts';
import { expectNoLocks, LOCK_NAMES } from '../locks.ts';
import type { Bench, Finding, Row } from '../row.ts';
import { takeTurns } from '../turns.ts';

/** Many more than are held at once: no lock is waited for. */
const NAMES = 10_000;

const SHAPES: readonly { readonly inFlight: number; readonly shape: LoadShape }[] = [
  { inFlight: 1, shape: LONE_SHAPE },
  { inFlight: 100, shape: GRPC_SHAPE },
];

/** Locks that nobody else wants. */
export const lock: Row = {
  name: 'lock',
  describes:
    "Acquire and Release of locks that nobody else wants over gRPC, 1 and 100 in flight, against etcd's v3lock with a lease each and with one for many",
  async measure(bench) {
    const findings: Finding[] = [];
    for (const { inFlight, shape } of SHAPES) findings.push(...(await measureLocks(bench, inFlight, shape)));
    return findings;
  },
};

async function measureLocks(bench: Bench, inFlight: number, shape: LoadShape): Promise<readonly Finding[]> {
  const { etcd, gateway } = bench.peers;
  const turn = (name: string, port: number, open: OpenLockClient) => ({
    name,
    measure: (seconds: number) =>
      driveCycles(port, async (caller) => lockAndRelease(await open(caller)), shape, seconds, bench),
  });
  const results = await takeTurns(
    bench,
    `lock, ${inFlight} in flight`,
    [
      turn('Concord', gateway.port, concordLocks),
      turn('etcd, a lease each', etcd.port, etcdLocksOnOwnLeases),
      turn('etcd, one lease', etcd.port, etcdLocksOnOneLease),
    ],
    { afterRound: () => expectNoLocks(bench) },
  );
  return ['etcd, a lease each', 'etcd, one lease'].map((name) => ({
    measure: `lock and release, gRPC, ${inFlight} in flight`,
    unit: 'per second',
    concord: results('Concord'),
    peer: { name, values: results(name) },
    compares: 'ratio',
  }));
}

function lockAndRelease(client: LockClient): CycleClient {
  return {
    async run(index: number) {
      const held = await client.acquire(`${LOCK_NAMES}${index % NAMES}`);
      await held.release();
    },
    close: () => client.close(),
  };
}
