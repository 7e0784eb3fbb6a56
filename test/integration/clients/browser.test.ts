import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KvService } from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openBrowser } from '../../support/open-browser.ts';
import { bundleScript, type ServedPage, servePage } from '../../support/serve-page.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import type { PageReport, PageTask } from './fixture/kv-page.ts';

const opened = await openBrowser();

let listedPage: ServedPage;
let strangePage: ServedPage;
let gateway: TestGateway;

beforeAll(async () => {
  const script = await bundleScript(fileURLToPath(new URL('fixture/kv-page.ts', import.meta.url)));
  listedPage = await servePage(script);
  strangePage = await servePage(script);
  gateway = await startGatewayOnEtcd({
    CONCORD_CORS_ORIGINS: `https://app.example.com,${listedPage.origin}`,
  });
});

afterAll(async () => {
  if (opened.kind === 'open') await opened.browser.close();
  await gateway?.[Symbol.asyncDispose]();
  await listedPage?.[Symbol.asyncDispose]();
  await strangePage?.[Symbol.asyncDispose]();
});

describe('connect-web in a browser', () => {
  if (opened.kind === 'missing') {
    it(`is not tested here: ${opened.why}`, () => expect(opened.why).not.toBe(''));
    return;
  }
  const { browser } = opened;

  /** Runs the page of an origin. `console` is what the browser has to say about it. */
  async function runPage(page: ServedPage, task: Omit<PageTask, 'baseUrl'>) {
    const tab = await browser.newPage();
    const console: string[] = [];
    tab.on('console', (message) => console.push(message.text()));
    try {
      await tab.goto(page.origin);
      const argument = JSON.stringify({ ...task, baseUrl: gateway.url });
      const report = await tab.evaluate<PageReport>(`callGateway(${argument})`);
      return { report, console };
    } finally {
      await tab.close();
    }
  }

  it.each([
    'Connect, JSON',
    'Connect, binary',
    'Connect, GET',
    'gRPC-Web, binary',
    'gRPC-Web, JSON',
  ] as const)(
    'calls from a page of a listed origin over %s, and reads errors and request ids',
    async (protocol) => {
      const key = `clients/${randomUUID()}`;
      const { report } = await runPage(listedPage, { protocol, key });
      expect(report).toEqual({
        value: 'från en sida',
        requestIds: ['page-1', expect.stringMatching(/./)],
        failure: {
          code: 'NotFound',
          message: expect.stringContaining(`"${key}/missing"`),
          reasons: ['KEY_NOT_FOUND'],
          requestId: expect.stringMatching(/./),
        },
      });
    },
  );

  it.each(['Connect, JSON', 'gRPC-Web, binary'] as const)(
    'is kept by the browser from calling for a page of an origin that is not listed, over %s',
    async (protocol) => {
      const key = `clients/${randomUUID()}`;
      const { report, console } = await runPage(strangePage, { protocol, key });
      expect(report).toMatchObject({ requestIds: [], failure: { reasons: [], requestId: null } });
      expect(console.join('\n')).toMatch(/blocked by CORS policy/);
      const kv = createClient(
        KvService,
        createConnectTransport({ baseUrl: gateway.url, httpVersion: '1.1' }),
      );
      expect(await failureOf(kv.get({ key }))).toMatchObject({ reason: 'KEY_NOT_FOUND' });
    },
  );
});
