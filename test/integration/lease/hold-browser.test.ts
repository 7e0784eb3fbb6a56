import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openBrowser } from '../../support/open-browser.ts';
import { openClients } from '../../support/open-clients.ts';
import { bundleScript, type ServedPage, servePage } from '../../support/serve-page.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import type { HoldTask } from './fixture/hold-page.ts';

const opened = await openBrowser();

let page: ServedPage;
let gateway: TestGateway;

beforeAll(async () => {
  page = await servePage(await bundleScript(fileURLToPath(new URL('fixture/hold-page.ts', import.meta.url))));
  gateway = await startGatewayOnEtcd({ CONCORD_CORS_ORIGINS: page.origin });
});

afterAll(async () => {
  if (opened.kind === 'open') await opened.browser.close();
  await gateway?.[Symbol.asyncDispose]();
  await page?.[Symbol.asyncDispose]();
});

describe('a Hold with connect-web in a browser', () => {
  if (opened.kind === 'missing') {
    it(`is not tested here: ${opened.why}`, () => expect(opened.why).not.toBe(''));
    return;
  }
  const { browser } = opened;

  describe.each(['Connect, JSON', 'Connect, binary', 'gRPC-Web, binary'] as const)('over %s', (protocol) => {
    it.each(['closes', 'aborts'])('keeps its lease until the page %s', async (how) => {
      const task: HoldTask = { baseUrl: gateway.url, protocol, key: `browser/${randomUUID()}` };
      const { kv, leases } = openClients(gateway.url);
      const context = await browser.newContext();
      try {
        const tab = await context.newPage();
        await tab.goto(page.origin);
        const leaseId = BigInt(await tab.evaluate<number>(`startHolding(${JSON.stringify(task)})`));
        expect(await leases.get({ leaseId })).toMatchObject({ held: true });
        expect((await kv.get({ key: task.key })).kv).toMatchObject({ leaseId, version: 1n });
        if (how === 'closes') await tab.close();
        else await tab.evaluate('stopHolding()');
        await eventually(async () => {
          expect(await failureOf(kv.get({ key: task.key }))).toMatchObject({ reason: 'KEY_NOT_FOUND' });
          expect(gateway.app.stats()).toMatchObject({ sessions: 0, server: { streams: 0 } });
        });
      } finally {
        await context.close();
      }
    });
  });
});
