/** Writes a key through etcd's JSON gateway, which needs no client library. */
export async function putKey(endpoint: string, key: string, value: string): Promise<void> {
  const response = await call(endpoint, 'put', { key: btoa(key), value: btoa(value) });
  if (!response.ok) throw new Error(`etcd answered ${response.status}`);
}

/** The value of a key, undefined when there is none. */
export async function getKey(endpoint: string, key: string): Promise<string | undefined> {
  const response = await call(endpoint, 'range', { key: btoa(key) });
  const body = (await response.json()) as { readonly kvs?: readonly { readonly value: string }[] };
  const value = body.kvs?.[0]?.value;
  return value === undefined ? undefined : atob(value);
}

function call(endpoint: string, method: string, message: object): Promise<Response> {
  return fetch(`${endpoint}/v3/kv/${method}`, { method: 'POST', body: JSON.stringify(message) });
}
