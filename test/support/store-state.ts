import type { TestEtcd } from './test-etcd.ts';

/** What every write changes: each one raises the revision, each lease is listed. */
export interface StoreState {
  readonly revision: string;
  readonly leases: number;
}

/** Asks etcd itself, not the gateway. */
export async function storeStateOf({ endpoint }: TestEtcd): Promise<StoreState> {
  const range = await post(`${endpoint}/v3/kv/range`, { key: 'AA==', range_end: 'AA==', count_only: true });
  const { header } = range as { readonly header: { readonly revision: string } };
  const leases = await post(`${endpoint}/v3/lease/leases`, {});
  return {
    revision: header.revision,
    leases: (leases as { readonly leases?: readonly object[] }).leases?.length ?? 0,
  };
}

async function post(url: string, message: object): Promise<unknown> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(message) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.json();
}
