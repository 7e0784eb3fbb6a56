import type { Row } from './row.ts';
import { autoRenewal } from './rows/auto-renewal.ts';
import { configGet } from './rows/config-get.ts';
import { configPublish } from './rows/config-publish.ts';
import { configResolve } from './rows/config-resolve.ts';
import { configWatchers } from './rows/config-watchers.ts';
import { deliveryLatency } from './rows/delivery-latency.ts';
import { discover, pick } from './rows/discover.ts';
import { fanOut } from './rows/fan-out.ts';
import { get } from './rows/get.ts';
import { getJson } from './rows/get-json.ts';
import { killToWatchers } from './rows/kill-to-watchers.ts';
import { latency } from './rows/latency.ts';
import { lock } from './rows/lock.ts';
import { lockHandOver } from './rows/lock-hand-over.ts';
import { put } from './rows/put.ts';
import { putJson } from './rows/put-json.ts';
import { start } from './rows/start.ts';
import { subscriberMemory } from './rows/subscriber-memory.ts';

/** Every row, in the order in which they run and are printed. */
export const ROWS: readonly Row[] = [
  get,
  put,
  getJson,
  putJson,
  latency,
  start,
  fanOut,
  deliveryLatency,
  subscriberMemory,
  discover,
  pick,
  killToWatchers,
  configGet,
  configResolve,
  configPublish,
  configWatchers,
  lock,
  lockHandOver,
  autoRenewal,
];
