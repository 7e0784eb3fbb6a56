import { createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { Health } from '../../../gen/grpc/health/v1/health_pb.ts';
import { startServer } from '../../../src/transport/start-server.ts';
const log = { debug: console.log, info: console.log, warn: console.log, error: console.log };
await using server = await startServer({ listen: [{ host: '127.0.0.1', port: 0 }], interceptors: [], httpRoutes: new Map(), corsOrigins: '*', log,
  observer: { began() {}, ended(c, o) { console.log(c.protocol, c.peer, o.code, o.reason); } },
  routes: (r) => r.service(Health, { async check() { return { status: 1 }; }, async *watch(_r, ctx) { yield { status: 1 }; await new Promise((res, rej) => ctx.signal.addEventListener('abort', () => rej(ctx.signal.reason))); } }) });
const baseUrl = `http://127.0.0.1:${server.listeners[0]?.port}`;
for (const t of [createGrpcTransport({ baseUrl }), createConnectTransport({ baseUrl, httpVersion: '1.1' }), createConnectTransport({ baseUrl, httpVersion: '2' , useBinaryFormat: false}), createGrpcWebTransport({ baseUrl, httpVersion: '1.1' }), createGrpcWebTransport({ baseUrl, httpVersion: '2' })]) {
  const c = createClient(Health, t);
  console.log(await c.check({}));
  for await (const m of c.watch({})) { console.log(m); break; }
}
console.log(server.stats());
const iv = setInterval(() => console.log(server.stats()), 2000); const t0 = performance.now(); await server.drain(); console.log('drained', performance.now() - t0); process.exit(0)
