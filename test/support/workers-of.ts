import type { KvClient } from './kv-client.ts';
import { openKvClient } from './kv-client.ts';
import type { ConcordProcess } from './run-concord.ts';

/** The processes of a gateway's workers by their numbers, as its log names them; of those that died, what took their place. */
export function workersOf({ stderr }: Pick<ConcordProcess, 'stderr'>): ReadonlyMap<number, number> {
  const starts = stderr.matchAll(/"worker":(\d+),"pid":(\d+),"msg":"a worker starts"/g);
  return new Map([...starts].map(([, number, pid]) => [Number(number), Number(pid)]));
}

/** A client on a connection of its own. */
export interface PlacedClient {
  readonly kv: KvClient;
  /** The worker that has the connection, by what its ids of requests begin with. */
  readonly worker: string;
}

/** Opens one client after the other until `count` workers serve at least two of them each. */
export async function openPlacedClients(url: string, count: number): Promise<readonly PlacedClient[]> {
  const clients: PlacedClient[] = [];
  for (;;) {
    const kv = openKvClient(url);
    let id = '';
    const noteId = (header: Headers) => {
      id = header.get('x-request-id') ?? '';
    };
    await kv.list({ prefix: 'placed/' }, { onHeader: noteId });
    clients.push({ kv, worker: id.replace(/-[^-]*$/, '') });
    const places = Object.values(Object.groupBy(clients, ({ worker }) => worker));
    if (places.filter((each) => (each?.length ?? 0) >= 2).length === count) return clients;
    if (clients.length > 50 * count) throw new Error(`the connections of ${places.length} workers alone`);
  }
}
