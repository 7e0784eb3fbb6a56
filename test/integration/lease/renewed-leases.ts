import { randomUUID } from 'node:crypto';
import { listKeys } from '../../support/kv-client.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { type RunningConcord, runConcord } from '../../support/run-concord.ts';

/** Leases that Concord renews, each with a key. */
export interface RenewedLeases {
  readonly leaseIds: readonly bigint[];
  /** Returns those whose keys are there still: a key that went with its lease does not come back. */
  alive(clients: Clients): Promise<ReadonlySet<bigint>>;
}

const AT_ONCE = 50;

/** Grants leases with `auto_renew`, and puts a key on each. */
export async function grantRenewed(
  { leases, kv }: Clients,
  { count, ttlSeconds }: { readonly count: number; readonly ttlSeconds: number },
): Promise<RenewedLeases> {
  const prefix = `test/${randomUUID()}/`;
  const leaseIds: bigint[] = [];
  async function grantSome(): Promise<void> {
    while (leaseIds.length < count) {
      const place = leaseIds.push(0n) - 1;
      const { leaseId } = await leases.grant({ ttl: { seconds: BigInt(ttlSeconds) }, autoRenew: true });
      leaseIds[place] = leaseId;
      await kv.put({ key: prefix + leaseId, leaseId });
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, grantSome));
  return {
    leaseIds,
    async alive(clients) {
      const keys = await listKeys(clients.kv, prefix);
      return new Set([...keys].map((key) => BigInt(key.slice(prefix.length))));
    },
  };
}

/** A gateway in a process of its own, and its clients. */
export interface Replica {
  readonly concord: RunningConcord;
  readonly clients: Clients;
}

/** Gateways on one store; those that a test ends itself are disposed with the others. */
export class Replicas implements AsyncDisposable {
  readonly #endpoints: readonly string[];
  readonly #all: RunningConcord[] = [];

  constructor(endpoints: readonly string[]) {
    this.#endpoints = endpoints;
  }

  async start(): Promise<Replica> {
    const concord = await runConcord({ env: { ETCD_ENDPOINTS: this.#endpoints.join() } });
    this.#all.push(concord);
    return { concord, clients: openClients(concord.url) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#all.map((concord) => {
        concord.signal('SIGCONT');
        return concord[Symbol.asyncDispose]();
      }),
    );
  }
}

/** How many leases each gateway renews without a caller. */
export function renewedByEach(replicas: readonly Replica[]): Promise<readonly number[]> {
  return Promise.all(replicas.map(({ concord }) => readMetric(concord.url, 'concord_leases_auto_renewed')));
}

/** How many renewals the members of an etcd have done since their starts: each is done by the one that leads. */
export async function countRenewals(endpoints: readonly string[]): Promise<number> {
  const name = 'etcd_debugging_lease_renewed_total';
  return sum(await Promise.all(endpoints.map((endpoint) => readMetric(endpoint, name))));
}

async function readMetric(url: string, name: string): Promise<number> {
  const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(30_000) });
  const line = (await response.text()).split('\n').find((each) => each.startsWith(`${name} `));
  if (line === undefined) throw new Error(`${url} has no metric ${name}`);
  return Number(line.slice(name.length + 1));
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
