import type { Example, Examples } from './examples.ts';

const TTL = '60s';
const KEY = 'app/color';
const SERVICE = 'orders';
const APPLICATION = 'shop';

function one(example: Example, takes?: Readonly<Record<string, string>>): Examples {
  return { requests: { example }, ...(takes !== undefined && { takes }) };
}

const lease = (grant: Example = {}) =>
  one({ parameters: { leaseId: '3024957461320437' }, ...grant }, { leaseId: 'LeaseService_Grant#/leaseId' });

/** Examples of the rpcs, by the ids of their operations. */
export const RPC_EXAMPLES: Readonly<Record<string, Examples>> = {
  KvService_Put: one({ parameters: { key: KEY }, body: { value: 'green' } }),
  KvService_Get: one({ parameters: { key: KEY } }),
  KvService_Delete: one({ parameters: { key: KEY, returnPrevious: true } }),
  KvService_BatchGet: one({ parameters: { keys: ['app/db/host', 'app/db/user'] } }),
  KvService_BatchGet2: one({ body: { keys: ['app/db/host', 'app/db/user'] } }),
  KvService_List: one({ parameters: { prefix: 'app/', pageSize: 10, view: 'VIEW_KEYS_ONLY' } }),
  KvService_DeleteRange: one({ parameters: { prefix: 'app/old/' } }),
  KvService_ListChildren: one({ parameters: { parent: 'app' } }),
  KvService_BatchPut: one({
    body: {
      entries: [
        { key: 'app/db/host', value: '10.0.0.5' },
        { key: 'app/db/port', value: '5432' },
      ],
    },
  }),
  KvService_Txn: one({
    body: {
      compares: [{ key: 'app/db/host', value: '10.0.0.5' }],
      success: [{ put: { key: 'app/db/host', value: '10.0.0.6' } }],
      failure: [{ get: { key: 'app/db/host' } }],
    },
  }),
  KvService_Watch: one({ parameters: { prefix: 'app/', includeSnapshot: true } }),
  KvService_Watch2: one({ body: { prefix: 'app/', includeSnapshot: true } }),

  LeaseService_Grant: one({ body: { ttl: TTL } }),
  LeaseService_List: one({ parameters: { pageSize: 10 } }),
  LeaseService_Renew: lease({ body: {} }),
  LeaseService_Hold: one({ body: { ttl: '15s' } }),
  LeaseService_StartAutoRenew: lease({ body: {} }),
  LeaseService_StopAutoRenew: lease({ body: {} }),
  LeaseService_Get: lease(),
  LeaseService_Revoke: lease(),

  LockService_Acquire: one({
    parameters: { name: 'reports/nightly' },
    body: { ttl: TTL, owner: 'worker-1' },
  }),
  LockService_TryAcquire: one({
    parameters: { name: 'reports/weekly' },
    body: { ttl: TTL, owner: 'worker-2' },
  }),
  LockService_Hold: one({ parameters: { name: 'reports/monthly' }, body: { ttl: '15s', owner: 'worker-3' } }),
  LockService_Release: one(
    { parameters: { name: 'reports/nightly' }, body: { fencingToken: '13' } },
    { fencingToken: 'LockService_Acquire#/fencingToken' },
  ),
  LockService_Get: one({ parameters: { name: 'reports/weekly' } }),
  LockService_List: one({ parameters: { prefix: 'reports/' } }),
  LockService_Watch: one({ parameters: { name: 'reports/weekly' } }),
  LockService_Verify: one(
    { parameters: { name: 'reports/weekly', fencingToken: '14' } },
    { fencingToken: 'LockService_TryAcquire#/fencingToken' },
  ),
  LockService_Break: one({ parameters: { name: 'reports/weekly' }, body: { reason: 'worker-2 hangs' } }),

  ElectionService_Campaign: {
    requests: {
      leader: { parameters: { name: 'scheduler' }, body: { value: '10.0.0.7:4000', ttl: '15s' } },
      candidate: { parameters: { name: 'scheduler' }, body: { value: '10.0.0.8:4000', ttl: '15s' } },
      another: { parameters: { name: 'cleaner' }, body: { value: '10.0.0.7:4000', ttl: '15s' } },
    },
  },
  ElectionService_Leader: one({ parameters: { name: 'cleaner' } }),
  ElectionService_ListCandidates: one({ parameters: { name: 'scheduler' } }),
  ElectionService_Observe: one({ parameters: { name: 'scheduler' } }),
  ElectionService_Proclaim: one(
    { parameters: { name: 'cleaner' }, body: { termToken: '21', value: '10.0.0.7:4001' } },
    { termToken: 'ElectionService_Leader#/leader/termToken' },
  ),
  ElectionService_Resign: one(
    { parameters: { name: 'cleaner' }, body: { termToken: '21' } },
    { termToken: 'ElectionService_Leader#/leader/termToken' },
  ),
  ElectionService_Transfer: one(
    { parameters: { name: 'scheduler' }, body: { termToken: '19', leaseId: '294782561902709' } },
    {
      termToken: 'ElectionService_ListCandidates#/leader/termToken',
      leaseId: 'ElectionService_ListCandidates#/candidates/0/leaseId',
    },
  ),

  DiscoveryService_Register: {
    requests: {
      one: {
        parameters: { service: SERVICE },
        body: { instance: { instanceId: 'orders-1', host: '10.0.0.7', port: 8080, zone: 'a' }, ttl: TTL },
      },
      another: {
        parameters: { service: SERVICE },
        body: { instance: { instanceId: 'orders-2', host: '10.0.0.8', port: 8080, zone: 'b' }, ttl: TTL },
      },
    },
  },
  DiscoveryService_Attach: one({
    body: { instance: { service: SERVICE, instanceId: 'orders-3', host: '10.0.0.9', port: 8080 } },
  }),
  DiscoveryService_Heartbeat: one({ parameters: { service: SERVICE, instanceId: 'orders-1' }, body: {} }),
  DiscoveryService_UpdateInstance: one({
    parameters: { service: SERVICE, instanceId: 'orders-2' },
    body: { instance: { host: '10.0.0.8', port: 8081, zone: 'b', version: '1.2.0' } },
  }),
  DiscoveryService_GetInstance: one({ parameters: { service: SERVICE, instanceId: 'orders-2' } }),
  DiscoveryService_Unregister: one({ parameters: { service: SERVICE, instanceId: 'orders-2' } }),
  DiscoveryService_SetStatus: one({
    parameters: { service: SERVICE, instanceId: 'orders-3' },
    body: { status: 'STATUS_DRAINING' },
  }),
  DiscoveryService_Discover: one({
    parameters: { service: SERVICE, 'filter.statuses': ['STATUS_UP'], 'filter.expression': 'port > 1024' },
  }),
  DiscoveryService_ListServices: one({ parameters: { prefix: 'or' } }),
  DiscoveryService_Pick: one({ parameters: { service: SERVICE, strategy: 'STRATEGY_ROUND_ROBIN' } }),
  DiscoveryService_WaitFor: one({ parameters: { service: SERVICE, count: 1 } }),
  DiscoveryService_Watch: one({ parameters: { service: SERVICE } }),
  DiscoveryService_Watch2: one({}),
  DiscoveryService_SetLossGuard: one({
    parameters: { service: SERVICE },
    body: { maxLossPercent: 50, window: '30s', hold: '300s' },
  }),
  DiscoveryService_GetLossGuard: one({ parameters: { service: SERVICE } }),

  ConfigService_Put: one({
    parameters: { application: APPLICATION, key: 'db/url' },
    body: { value: 'postgres://10.0.0.5/shop', author: 'ada', comment: 'the new host' },
  }),
  ConfigService_Get: one({ parameters: { application: APPLICATION, key: 'db/url' } }),
  ConfigService_Delete: one({ parameters: { application: APPLICATION, key: 'db/url', author: 'ada' } }),
  ConfigService_List: one({ parameters: { application: APPLICATION, prefix: 'db/' } }),
  ConfigService_ListApplications: one({ parameters: { pageSize: 10 } }),
  ConfigService_Publish: one({
    parameters: { application: APPLICATION },
    body: {
      puts: [
        { key: 'limits/orders', value: '100', contentType: 'CONTENT_TYPE_NUMBER' },
        { key: 'features/search', value: 'true', contentType: 'CONTENT_TYPE_BOOLEAN' },
      ],
      author: 'ada',
    },
  }),
  ConfigService_History: one({ parameters: { application: APPLICATION, key: 'db/url' } }),
  ConfigService_GetVersion: one({ parameters: { application: APPLICATION, version: '1', key: 'db/url' } }),
  ConfigService_Diff: one({
    parameters: { application: APPLICATION },
    body: { profiles: { fromProfile: 'default', toProfile: 'prod' } },
  }),
  ConfigService_Rollback: one({
    parameters: { application: APPLICATION, key: 'db/url' },
    body: { version: '1', author: 'ada', comment: 'back to the host from before' },
  }),
  ConfigService_Resolve: one({ parameters: { application: APPLICATION, profiles: ['default', 'prod'] } }),
  ConfigService_SetSchema: one({
    parameters: { application: APPLICATION },
    body: { keyPattern: 'limits/*', schema: '{"type":"integer","minimum":0}' },
  }),
  ConfigService_GetSchema: one({ parameters: { application: APPLICATION, key: 'limits/orders' } }),
  ConfigService_Export: one({ parameters: { application: APPLICATION, format: 'FORMAT_YAML' } }),
  ConfigService_Import: one({
    parameters: { application: APPLICATION },
    body: { profile: 'prod', format: 'FORMAT_JSON', text: '{"limits/orders":500}', author: 'ada' },
  }),
  ConfigService_Watch: one({ parameters: { application: APPLICATION, subscriber: 'orders-1' } }),
  ConfigService_ListSubscribers: one({ parameters: { application: APPLICATION } }),
  ConfigService_Acknowledge: one(
    {
      parameters: { application: APPLICATION, subscriberId: '7f1d0a52-9d3c-4c61-8a55-0d7f4ad0a3f1' },
      body: { acknowledgedRevision: '42' },
    },
    {
      subscriberId: 'ConfigService_Watch#/subscriberId',
      acknowledgedRevision: 'ConfigService_Watch#/revision',
    },
  ),
  ConfigService_RotateSecrets: one({ body: { application: APPLICATION } }),
};
