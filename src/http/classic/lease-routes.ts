// The classic routes of leases.

import { type ClassicRoute, numberIn, secondsIn } from './classic-route.ts';

const LEASE = '/concord.lease.v1.LeaseService';
const DEFAULT_TTL = '60';

/** The routes. */
export const LEASE_ROUTES: readonly ClassicRoute[] = [
  {
    httpMethod: 'POST',
    path: '/etcd/lease/grant',
    rpcPath: `${LEASE}/Grant`,
    request: ({ query }) => ({ ttl: `${query.get('ttl') ?? DEFAULT_TTL}s` }),
    answer: ({ leaseId, ttl }) => ({ leaseId: numberIn(leaseId), ttl: secondsIn(ttl) }),
  },
  {
    httpMethod: 'POST',
    path: '/etcd/lease/keepalive/{lease_id}',
    rpcPath: `${LEASE}/Renew`,
    request: ({ params }) => params,
    answer: ({ ttl }, { params }) => ({ leaseId: numberIn(params['lease_id']), ttl: secondsIn(ttl) }),
  },
  {
    httpMethod: 'DELETE',
    path: '/etcd/lease/{lease_id}',
    rpcPath: `${LEASE}/Revoke`,
    request: ({ params }) => params,
    answer: ({ revision }, { params }) => ({
      leaseId: numberIn(params['lease_id']),
      revision: numberIn(revision),
    }),
  },
  {
    httpMethod: 'GET',
    path: '/etcd/lease/{lease_id}',
    rpcPath: `${LEASE}/Get`,
    request: ({ params }) => params,
    answer: ({ grantedTtl, remainingTtl, keys, autoRenewed }, { params }) => ({
      leaseId: numberIn(params['lease_id']),
      grantedTtl: secondsIn(grantedTtl),
      remainingTtl: secondsIn(remainingTtl),
      keys: Array.isArray(keys) ? keys : [],
      autoRenewed: autoRenewed === true,
    }),
  },
];
