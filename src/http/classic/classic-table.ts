// What each classic route asks of which rpc, and what it makes of the answer.

import type { ClassicRoute } from './classic-route.ts';
import { CONFIG_ROUTES } from './config-routes.ts';
import { KEY_ROUTES } from './key-routes.ts';
import { LEASE_ROUTES } from './lease-routes.ts';
import { SERVICE_ROUTES } from './service-routes.ts';

/** All classic routes. */
export const CLASSIC_ROUTES: readonly ClassicRoute[] = [
  ...KEY_ROUTES,
  ...SERVICE_ROUTES,
  ...CONFIG_ROUTES,
  ...LEASE_ROUTES,
];
