import { randomUUID } from 'node:crypto';
import { type AttachedProcess, startAttachedProcess } from '../../integration/discovery/attached-process.ts';
import { concordWatchService } from '../calls/discovery-calls.ts';
import { openSubscribers } from '../load/subscribers.ts';
import type { Bench, Finding, Row } from '../row.ts';
import { median, percentile } from '../statistics.ts';

const SHAPE = { connections: 20, onEach: 50 } as const;
const KILLS = 5;

/** How soon the death of a process is known. */
export const killToWatchers: Row = {
  name: 'kill-to-watchers',
  describes: `time from SIGKILL of a process with an attached instance until the last of 1,000 watchers knows, ${KILLS} a round`,
  async measure(bench) {
    const rounds: (readonly number[])[] = [];
    for (let round = 0; round <= bench.rounds; round += 1) {
      bench.progress(`kill-to-watchers: ${round === 0 ? 'warm-up' : `round ${round} of ${bench.rounds}`}`);
      const latenciesMs = await killOneByOne(bench);
      if (round > 0) rounds.push(latenciesMs);
    }
    const finding = (name: string, select: (latenciesMs: readonly number[]) => number): Finding => ({
      measure: `SIGKILL to the last of 1,000 watchers, ${name}`,
      unit: 'ms',
      concord: rounds.map(select),
      compares: 'itself',
      target: { kind: 'at-most', bar: 1_000 },
    });
    return [finding('median', median), finding('99th percentile', (each) => percentile(each, 99))];
  },
};

async function killOneByOne(bench: Bench): Promise<readonly number[]> {
  const { port } = bench.peers.gateway;
  const service = `bench-kill-${randomUUID()}`;
  using watchers = await openSubscribers(port, concordWatchService(service, KILLS), SHAPE, bench);
  await using processes = new AsyncDisposableStack();
  const attached: AttachedProcess[] = [];
  for (let instance = 0; instance < KILLS; instance += 1) {
    const registered = watchers.receive(1);
    const options = { url: `http://127.0.0.1:${port}`, service, instanceIds: [String(instance)] };
    const [process] = await Promise.all([startAttachedProcess(options), registered]);
    attached.push(processes.use(process));
  }
  const latenciesMs: number[] = [];
  for (const process of attached) {
    const killedAtMs = performance.now();
    const [lastAtMs] = await Promise.all([watchers.receive(1), process.kill()]);
    latenciesMs.push(lastAtMs - killedAtMs);
  }
  return latenciesMs;
}
