import { startGatewayProcess } from '../peers/start-gateway-process.ts';
import type { Row } from '../row.ts';

/** How soon a gateway is ready, with etcd running. */
export const start: Row = {
  name: 'start',
  isBar: true,
  describes: 'time from the start of the process until /readyz answers 200, etcd running',
  async measure(bench) {
    const readyAfterMs: number[] = [];
    for (let round = 0; round <= bench.rounds; round += 1) {
      bench.progress(`start: ${round === 0 ? 'warm-up' : `round ${round} of ${bench.rounds}`}`);
      await using gateway = await startGatewayProcess(bench.peers.etcd.endpoint, { signal: bench.signal });
      if (round > 0) readyAfterMs.push(gateway.readyAfterMs);
    }
    return [
      {
        measure: 'start to ready',
        unit: 'ms',
        concord: readyAfterMs,
        compares: 'itself',
        target: { kind: 'at-most', bar: 400, nextBar: 200 },
      },
    ];
  },
};
