import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HUB_WATCHES } from '../../support/etcd-watch-metrics.ts';
import { openBrowser } from '../../support/open-browser.ts';
import { bundleScript, type ServedPage, servePage } from '../../support/serve-page.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import type { WatchReport, WatchTask } from './fixture/watch-page.ts';

const TLS_FOLDER = fileURLToPath(new URL('../../support/tls/', import.meta.url));
const TLS = {
  CONCORD_TLS_CERT: `${TLS_FOLDER}server.pem`,
  CONCORD_TLS_KEY: `${TLS_FOLDER}server-key.pem`,
};

const opened = await openBrowser();

let page: ServedPage;
let etcd: TestEtcd;
let gateways: Readonly<Record<'http/1.1' | 'h2', TestGateway>>;

beforeAll(async () => {
  const script = await bundleScript(fileURLToPath(new URL('fixture/watch-page.ts', import.meta.url)));
  page = await servePage(script);
  etcd = await startEtcd();
  const cors = { CONCORD_CORS_ORIGINS: page.origin };
  gateways = {
    'http/1.1': await startGateway([etcd.endpoint], cors),
    // A browser speaks HTTP/2 only under TLS.
    h2: await startGateway([etcd.endpoint], { ...cors, ...TLS }),
  };
});

afterAll(async () => {
  if (opened.kind === 'open') await opened.browser.close();
  for (const gateway of Object.values(gateways ?? {})) await gateway[Symbol.asyncDispose]();
  await etcd?.stop();
  await page?.[Symbol.asyncDispose]();
});

describe('a watch with connect-web in a browser', () => {
  if (opened.kind === 'missing') {
    it(`is not tested here: ${opened.why}`, () => expect(opened.why).not.toBe(''));
    return;
  }
  const { browser } = opened;

  describe.each(['http/1.1', 'h2'] as const)('over %s', (httpVersion) => {
    it.each(['Connect, JSON', 'Connect, binary', 'gRPC-Web, binary'] as const)(
      'gets the state and every change over %s, and frees all when its fetch is aborted',
      async (protocol) => {
        const gateway = gateways[httpVersion];
        const task: WatchTask = { baseUrl: gateway.url, protocol, prefix: `browser/${randomUUID()}/` };
        const context = await browser.newContext({ ignoreHTTPSErrors: true });
        try {
          const tab = await context.newPage();
          await tab.goto(page.origin);
          const report = await tab.evaluate<WatchReport>(`watchGateway(${JSON.stringify(task)})`);
          expect(report).toEqual({
            kinds: ['SNAPSHOT', 'SYNCED'],
            changes: [['a=1'], ['b=2', 'c=2']],
            resumeToken: expect.stringMatching(/./),
          });
          // The tab is still open, and its connection: it is the aborted fetch that frees.
          await expect
            .poll(() => gateway.app.stats())
            .toMatchObject({
              server: { streams: 0 },
              watch: { subscriptions: HUB_WATCHES, channels: HUB_WATCHES },
            });
          const { http1Connections, http2Connections } = gateway.app.stats().server;
          expect([http1Connections > 0, http2Connections > 0]).toEqual([
            httpVersion !== 'h2',
            httpVersion === 'h2',
          ]);
        } finally {
          await context.close();
        }
      },
    );
  });
});
