import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from '../../support/open-browser.ts';
import { bundleScript, type ServedPage, servePage } from '../../support/serve-page.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import type { ConfigWatchReport, ConfigWatchTask } from './fixture/config-watch-page.ts';

const opened = await openBrowser();

let page: ServedPage;
let etcd: TestEtcd;
let gateway: TestGateway;

beforeAll(async () => {
  const script = await bundleScript(fileURLToPath(new URL('fixture/config-watch-page.ts', import.meta.url)));
  page = await servePage(script);
  etcd = await startEtcd();
  gateway = await startGateway([etcd.endpoint], { CONCORD_CORS_ORIGINS: page.origin });
});

afterAll(async () => {
  if (opened.kind === 'open') await opened.browser.close();
  await gateway?.[Symbol.asyncDispose]();
  await etcd?.stop();
  await page?.[Symbol.asyncDispose]();
});

describe('a watch of configuration with connect-web in a browser', () => {
  if (opened.kind === 'missing') {
    it(`is not tested here: ${opened.why}`, () => expect(opened.why).not.toBe(''));
    return;
  }
  const { browser } = opened;

  it.each(['Connect', 'gRPC-Web'] as const)(
    'gets the set and every change over %s, and frees all when its fetch is aborted',
    async (protocol) => {
      const task: ConfigWatchTask = { baseUrl: gateway.url, protocol, application: randomUUID() };
      const context = await browser.newContext();
      try {
        const tab = await context.newPage();
        await tab.goto(page.origin);
        const report = await tab.evaluate<ConfigWatchReport>(`watchConfiguration(${JSON.stringify(task)})`);
        expect(report).toEqual({ items: ['theme=light'], changes: ['theme=dark'], subscribers: ['page'] });
        // The tab is still open, and its connection: it is the aborted fetch that frees.
        await expect.poll(() => gateway.app.stats().server.streams).toBe(0);
      } finally {
        await context.close();
      }
    },
    60_000,
  );
});
