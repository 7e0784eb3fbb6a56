import http2 from 'node:http2';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { Health } from '/work/main/gen/grpc/health/v1/health_pb.ts';
import { startServer } from '/work/main/src/transport/start-server.ts';
const log = { debug: console.log, info: console.log, warn: console.log, error: console.log };
const server = await startServer({ listen: [{ host: '127.0.0.1', port: 0 }], interceptors: [], httpRoutes: new Map(), corsOrigins: '*', log,drainTimeoutMs:1500,
  observer: { began() {}, ended(c, o) { console.log(c.protocol, c.peer, o.code, o.reason); } },
  routes: (r) => r.service(Health, { async check() { return { status: 1 }; }, async *watch(_r, ctx) { yield { status: 1 }; await new Promise((_res, rej) => ctx.signal.addEventListener('abort', () => rej(ctx.signal.reason))); } }) });
const baseUrl = `http://127.0.0.1:${server.listeners[0]?.port}`;
const mode = process.argv[2];
const c = createClient(Health, mode === 'grpc' ? createGrpcTransport({ baseUrl }): createConnectTransport({ baseUrl, httpVersion: '2' }));
await c.check({});
if (process.argv[3]) for await (const m of c.watch({})) { break; }
if (process.argv[4]) await new Promise(r=>setTimeout(r,200));
const t0 = performance.now(); await server.drain(); console.log('drained', performance.now() - t0); process.exit(0)
