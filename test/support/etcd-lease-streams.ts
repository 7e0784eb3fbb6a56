/** How many streams of renewals an etcd has been asked for since its start. */
export async function countKeepAliveStreams(endpoint: string): Promise<number> {
  const response = await fetch(`${endpoint}/metrics`, { signal: AbortSignal.timeout(30_000) });
  const text = await response.text();
  return Number(
    /^grpc_server_started_total\{.*grpc_method="LeaseKeepAlive".*\} (\d+)$/m.exec(text)?.[1] ?? 0,
  );
}

/** Has the member that leads hand leadership to another one; resolves when it did. */
export async function transferLeadership(leader: string, next: string): Promise<void> {
  const { header } = (await callMaintenance(next, 'status', {})) as {
    readonly header: { readonly member_id: string };
  };
  await callMaintenance(leader, 'transfer-leadership', { targetID: header.member_id });
}

async function callMaintenance(endpoint: string, method: string, message: object): Promise<unknown> {
  const response = await fetch(`${endpoint}/v3/maintenance/${method}`, {
    method: 'POST',
    body: JSON.stringify(message),
    signal: AbortSignal.timeout(30_000),
  });
  if (!response.ok) throw new Error(`${method}: etcd answered ${response.status} ${await response.text()}`);
  return response.json();
}
