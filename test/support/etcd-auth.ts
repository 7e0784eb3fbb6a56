/** A user of etcd, and what it is to be let do. */
export interface EtcdRole {
  readonly username: string;
  readonly password: string;
  /** The keys that begin so may be read and written. */
  readonly prefix: string;
}

/** Turns authentication on: the user `root` may do everything, and each of `roles` has a user of its own. */
export async function enableAuth(
  endpoint: string,
  rootPassword: string,
  roles: readonly EtcdRole[] = [],
): Promise<void> {
  await callAuth(endpoint, 'user/add', { name: 'root', password: rootPassword });
  await callAuth(endpoint, 'user/grant', { user: 'root', role: 'root' });
  for (const { username, password, prefix } of roles) {
    await callAuth(endpoint, 'role/add', { name: username });
    await callAuth(endpoint, 'role/grant', permissionOf(username, prefix));
    await callAuth(endpoint, 'user/add', { name: username, password });
    await callAuth(endpoint, 'user/grant', { user: username, role: username });
  }
  await callAuth(endpoint, 'enable', {});
}

/** Lets a role read and write further keys. */
export async function grantPrefix(
  endpoint: string,
  rootPassword: string,
  role: string,
  prefix: string,
): Promise<void> {
  const { token } = (await callAuth(endpoint, 'authenticate', { name: 'root', password: rootPassword })) as {
    readonly token: string;
  };
  await callAuth(endpoint, 'role/grant', permissionOf(role, prefix), token);
}

/** How many users etcd has authenticated since its start, the rejected ones included. */
export async function countAuthentications(endpoint: string): Promise<number> {
  const response = await fetch(`${endpoint}/metrics`);
  const lines = (await response.text()).matchAll(
    /^grpc_server_started_total\{.*grpc_method="Authenticate".*\} (\d+)$/gm,
  );
  return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
}

function permissionOf(role: string, prefix: string): object {
  const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
  return { name: role, perm: { permType: 'READWRITE', key: btoa(prefix), range_end: btoa(end) } };
}

/** Calls etcd's HTTP gateway. */
async function callAuth(endpoint: string, method: string, message: object, token?: string): Promise<unknown> {
  const response = await fetch(`${endpoint}/v3/auth/${method}`, {
    method: 'POST',
    body: JSON.stringify(message),
    headers: token === undefined ? {} : { authorization: token },
  });
  if (!response.ok) throw new Error(`${method}: etcd answered ${response.status} ${await response.text()}`);
  return response.json();
}
