import type { AddMetric, Sample } from './metric-source.ts';

/** Counts calls; the code of a success is `ok`, as in the protocols. What a call costs is a few additions: prom-client's own metrics hash their labels at each. */
export interface CallMetrics {
  began(rpc: string, protocol: string): void;
  /** @param reason of an error; '' of a success. */
  ended(
    rpc: string,
    protocol: string,
    outcome: { readonly code: string; readonly reason: string },
    seconds: number,
  ): void;
}

type Labels = Readonly<Record<string, string>>;

const BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const DURATION = 'concord_rpc_duration_seconds';

/** Creates them, and adds them to those that are scraped. */
export function createCallMetrics(add: AddMetric): CallMetrics {
  const rpcs = new Map<string, Calls>();

  function callsOf(rpc: string): Calls {
    const known = rpcs.get(rpc);
    if (known !== undefined) return known;
    const made = new Calls(rpc);
    rpcs.set(rpc, made);
    return made;
  }

  function addOf(name: string, type: string, help: string, read: (calls: Calls) => readonly Sample[]): void {
    add({ name, type, help, read: () => [...rpcs.values()].flatMap((calls) => read(calls)) });
  }

  addOf('concord_rpc_started_total', 'counter', 'Calls begun, by rpc and protocol.', ({ rpc, started }) =>
    [...started].map(([protocol, value]) => ({ labels: { rpc, protocol }, value })),
  );
  addOf(
    'concord_rpc_in_flight',
    'gauge',
    'Calls begun and not ended, open streams included, by rpc.',
    ({ rpc, inFlight }) => [{ labels: { rpc }, value: inFlight }],
  );
  addOf(
    DURATION,
    'histogram',
    'Time from a call to its end, by rpc, protocol, code and, of errors, reason.',
    ({ ended }) => [...ended.values()].flatMap((durations) => durations.samples()),
  );

  return {
    began: (rpc, protocol) => callsOf(rpc).began(protocol),
    ended: (rpc, protocol, outcome, seconds) => callsOf(rpc).endedAs(protocol, outcome).add(seconds),
  };
}

/** The calls of one rpc. */
class Calls {
  readonly rpc: string;
  readonly started = new Map<string, number>();
  readonly ended = new Map<string, Durations>();
  inFlight = 0;

  constructor(rpc: string) {
    this.rpc = rpc;
  }

  began(protocol: string): void {
    this.started.set(protocol, (this.started.get(protocol) ?? 0) + 1);
    this.inFlight += 1;
  }

  /** One call ends so; where it is counted. */
  endedAs(protocol: string, { code, reason }: { readonly code: string; readonly reason: string }): Durations {
    this.inFlight -= 1;
    const id = code === 'ok' ? protocol : `${protocol} ${code} ${reason}`;
    const known = this.ended.get(id);
    if (known !== undefined) return known;
    const made = new Durations({ rpc: this.rpc, protocol, code, reason });
    this.ended.set(id, made);
    return made;
  }
}

/** A histogram of one set of labels. */
class Durations {
  readonly #labels: Labels;
  /** Those at or below each bound and above the one before it. */
  readonly #counts = new Array<number>(BUCKETS_S.length).fill(0);
  #count = 0;
  #sum = 0;

  constructor(labels: Labels) {
    this.#labels = labels;
  }

  add(seconds: number): void {
    this.#count += 1;
    this.#sum += seconds;
    const bucket = BUCKETS_S.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
  }

  samples(): readonly Sample[] {
    const labels = this.#labels;
    let below = 0;
    const buckets = BUCKETS_S.map((bound, i): Sample => {
      below += this.#counts[i] ?? 0;
      return { metricName: `${DURATION}_bucket`, labels: { le: String(bound), ...labels }, value: below };
    });
    return [
      ...buckets,
      { metricName: `${DURATION}_bucket`, labels: { le: '+Inf', ...labels }, value: this.#count },
      { metricName: `${DURATION}_sum`, labels, value: this.#sum },
      { metricName: `${DURATION}_count`, labels, value: this.#count },
    ];
  }
}
